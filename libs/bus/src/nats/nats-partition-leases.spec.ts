import { jetstreamManager } from '@nats-io/jetstream';
import { millis } from '@nats-io/transport-node';
import { describeWithOwnEngines, until } from '@starling/testing';
import { pino } from 'pino';
import { BusOnNats, SILENT } from '../../test/bus-on-nats.js';
import { Leaders, LedPartitions, partitionLeasesContract } from '../leases/partition-leases.contract.js';
import { LEASES_STREAM } from './names.js';
import type { BusConnection } from './nats-connection.js';
import { NatsPartitionLeases } from './nats-partition-leases.js';

const LEASE_MS = 900;

/** One server here. Replicas of a stream and elections of its leader are not tried: NATS_REPLICAS above 1 never was. */
describeWithOwnEngines(['nats'], 'leases over NATS', () => {
  let bus: BusOnNats;

  beforeAll(async () => {
    bus = await BusOnNats.start();
  });
  afterAll(() => bus.stop());

  const newWorker = (connection: BusConnection, partitions: number, leaseMs = LEASE_MS) =>
    new NatsPartitionLeases(connection, { partitions, leaseMs, replicas: 1 }, SILENT);

  partitionLeasesContract(
    async (partitions) => ({
      newWorker: async (leaseMs) => newWorker(await bus.connect(), partitions, leaseMs),
      close: () => bus.clear(),
    }),
    { workers: 'many' },
  );

  describe('when something fails', () => {
    let led: Leaders;

    beforeEach(() => void (led = new Leaders()));
    afterEach(async () => {
      await bus.clear();
      expect(led.doubled).toEqual([]);
    });

    async function workers(count: number): Promise<LedPartitions[]> {
      const all: LedPartitions[] = [];
      for (let i = 0; i < count; i++) {
        const worker = new LedPartitions(newWorker(await bus.connect(), 8), led);
        all.push(worker);
        await worker.start();
      }
      await until('every partition to be led', () => led.size === 8);
      return all;
    }

    it('gives the partitions of a worker that died to the others when its lease is over, and no sooner', async () => {
      const leaseMs = 3000;
      const dead = await bus.connect();
      const dying = new LedPartitions(newWorker(dead, 8, leaseMs), led);
      const other = new LedPartitions(newWorker(await bus.connect(), 8, leaseMs), led);
      await dying.start();
      await other.start();
      await until('an even share', () => dying.leases.size === 4 && other.leases.size === 4);
      const lost = [...dying.leases.values()];
      await dead.nats.close();
      await until('the other to lead all', () => other.leases.size === 8, 3 * leaseMs);
      // It learns by its own clock that it leads nothing any more, and did before anybody else could.
      expect(lost.map(({ isHeld, ending }) => !isHeld && ending.aborted)).toEqual([true, true, true, true]);
      await dying.worker.stop();
      await other.worker.stop();
    });

    it('lets the server forget who died so early that others lead within the lease', async () => {
      const leaseMs = 5000;
      const connection = await bus.connect();
      const worker = newWorker(connection, 1, leaseMs);
      await worker.start(async () => undefined);
      const { config } = await connection.manager.streams.info(LEASES_STREAM);
      // The server looks for keys that are over at most every 250 ms, and workers look a twentieth of the lease apart.
      expect(millis(config.max_age) + 250 + leaseMs / 20).toBeLessThan(leaseMs);
      expect(millis(config.max_age)).toBeGreaterThan(0.8 * leaseMs);
      await worker.stop();
    });

    it('waits when the server does not answer at the start, and leads once it does', async () => {
      const lines: string[] = [];
      const logger = pino({ level: 'warn' }, { write: (line) => void lines.push(line) });
      const options = { partitions: 8, leaseMs: LEASE_MS, replicas: 1 };
      const led = new Leaders();
      const worker = new LedPartitions(new NatsPartitionLeases(await bus.connect(), options, logger), led);
      bus.engine.pause();
      const starting = worker.start();
      starting.catch(() => bus.engine.resume());
      await until('the line', () => lines.some((line) => line.includes('partitions cannot be led yet')));
      bus.engine.resume();
      await starting;
      await until('every partition to be led', () => led.size === 8);
      await worker.worker.stop();
    });

    it('takes a lease for lost when the server does not answer, and has it again afterwards', async () => {
      const all = await workers(1);
      const leases = [...all[0]!.leases.values()];
      bus.engine.pause();
      await until('the leases to be over', () =>
        leases.every(({ isHeld, ending }) => !isHeld && ending.aborted),
      );
      bus.engine.resume();
      await until('new leases', () => led.size === 8);
      expect([...all[0]!.leases.values()].every(({ isHeld }) => isHeld)).toBe(true);
      await all[0]!.worker.stop();
    });

    it('goes on after a restart of the server, and makes a bucket that was lost again', async () => {
      const all = await workers(2);
      await bus.engine.kill9();
      await bus.engine.restart();
      const shares = () =>
        led.size === 8 && all.every(({ leases }) => [...leases.values()].every((lease) => lease.isHeld));
      await until('all to be led', () => shares() && all.every(({ leases }) => leases.size === 4));
      expect(led.doubled).toEqual([]);
      const manager = await jetstreamManager((await bus.connect()).nats);
      await manager.streams.delete(LEASES_STREAM);
      await until('new leases', async () => {
        const info = await manager.streams.info(LEASES_STREAM).catch(() => null);
        return info !== null && info.state.num_subjects === 10 && shares();
      });
      // What a bucket granted that was lost is granted again; until its holder looks, only epochs keep them apart.
      led.doubled.length = 0;
      await Promise.all(all.map(({ worker }) => worker.stop()));
    });
  });
});
