import { jetstreamManager } from '@nats-io/jetstream';
import { millis } from '@nats-io/transport-node';
import { describeWithOwnEngines, until } from '@starling/testing';
import { BusOnNats, SILENT } from '../../test/bus-on-nats.js';
import { LedPartitions, partitionLeasesContract } from '../leases/partition-leases.contract.js';
import { LEASES_STREAM } from './names.js';
import { NatsPartitionLeases } from './nats-partition-leases.js';

const LEASE_MS = 900;

/** One server here. Replicas of a stream and elections of its leader are not tried: NATS_REPLICAS above 1 never was. */
describeWithOwnEngines(['nats'], 'leases over NATS', () => {
  let bus: BusOnNats;

  beforeAll(async () => {
    bus = await BusOnNats.start();
  });
  afterAll(() => bus.stop());

  const newWorker = async (partitions: number) =>
    new NatsPartitionLeases(await bus.connect(), { partitions, leaseMs: LEASE_MS, replicas: 1 }, SILENT);

  partitionLeasesContract(
    async (partitions) => ({ newWorker: () => newWorker(partitions), close: () => bus.clear() }),
    { workers: 'many' },
  );

  describe('when something fails', () => {
    afterEach(() => bus.clear());

    async function workers(
      count: number,
    ): Promise<{ led: Map<number, LedPartitions>; all: LedPartitions[] }> {
      const led = new Map<number, LedPartitions>();
      const all: LedPartitions[] = [];
      for (let i = 0; i < count; i++) {
        const worker = new LedPartitions(await newWorker(8), led);
        all.push(worker);
        await worker.start();
      }
      await until('every partition to be led', () => led.size === 8);
      return { led, all };
    }

    it('gives the partitions of a worker that died to the others within the lease', async () => {
      const dead = await bus.connect();
      const dying = new NatsPartitionLeases(dead, { partitions: 8, leaseMs: LEASE_MS, replicas: 1 }, SILENT);
      const lost: AbortSignal[] = [];
      await dying.start(async ({ ending }) => {
        lost.push(ending);
        await new Promise((resolve) => ending.addEventListener('abort', resolve));
      });
      await dead.nats.close();
      const { all } = await workers(1);
      expect(all[0]!.partitions).toHaveLength(8);
      // It learns by its own clock that it leads nothing any more, and did before anybody else could.
      expect(lost).toHaveLength(8);
      expect(lost.every(({ aborted }) => aborted)).toBe(true);
      await dying.stop();
      await all[0]!.worker.stop();
    });

    it('lets the server forget who died so early that others lead within the lease', async () => {
      const leaseMs = 5000;
      const connection = await bus.connect();
      const worker = new NatsPartitionLeases(connection, { partitions: 1, leaseMs, replicas: 1 }, SILENT);
      await worker.start(async () => undefined);
      const { config } = await connection.manager.streams.info(LEASES_STREAM);
      // The server looks for keys that are over at most every 250 ms, and workers look a twentieth of the lease apart.
      expect(millis(config.max_age) + 250 + leaseMs / 20).toBeLessThan(leaseMs);
      expect(millis(config.max_age)).toBeGreaterThan(0.8 * leaseMs);
      await worker.stop();
    });

    it('takes a lease for lost when the server does not answer, and has it again afterwards', async () => {
      const { all, led } = await workers(1);
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
      const { all, led } = await workers(2);
      await bus.engine.kill9();
      await bus.engine.restart();
      const shares = () =>
        led.size === 8 && all.every(({ leases }) => [...leases.values()].every((lease) => lease.isHeld));
      await until('all to be led', () => shares() && all.every(({ leases }) => leases.size === 4));
      const manager = await jetstreamManager((await bus.connect()).nats);
      await manager.streams.delete(LEASES_STREAM);
      await until('new leases', async () => {
        const info = await manager.streams.info(LEASES_STREAM).catch(() => null);
        return info !== null && info.state.num_subjects === 10 && shares();
      });
      await Promise.all(all.map(({ worker }) => worker.stop()));
    });
  });
});
