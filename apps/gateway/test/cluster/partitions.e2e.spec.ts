import os from 'node:os';
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { type LogPosition, partitionOf } from '@starling/bus';
import { groupConversation } from '@starling/protocol';
import {
  accepted,
  type ClusterInstallation,
  describeWithOwnEngines,
  type Engines,
  fetchOnce,
  metricAt,
  Starling,
  startMongo,
  startNats,
  startRedis,
  unique,
  until,
} from '@starling/testing';
import type { mongo as Driver } from 'mongoose';

const PARTITIONS = 8;
/** Whoever waited for its end would wait longer than any test. */
const LEASE_MS = 60_000;
const AT_ONCE_MS = 15_000;

type Store = ReturnType<ClusterInstallation['of']>[number];

describeWithOwnEngines(['nats', 'redis', 'mongodb'], 'partitions on a cluster', () => {
  let engines: Engines;
  let starling: Starling;
  let nats: NatsConnection;
  let manager: JetStreamManager;
  let mongo: Driver.MongoClient;

  beforeAll(async () => {
    const [natsServer, redis, mongodb] = await Promise.all([startNats(), startRedis(), startMongo()]);
    engines = { nats: natsServer, redis, mongodb };
    starling = new Starling({
      profile: 'cluster',
      env: { PARTITIONS: String(PARTITIONS), PARTITION_LEASE_MS: String(LEASE_MS) },
      cluster: { engines, stores: 2 },
    });
    await starling.start();
    nats = await connect({ servers: natsServer.url });
    manager = await jetstreamManager(nats);
    const driver = (await import('mongoose')).mongo;
    // The driver imports it in a way that jest refuses, and then says nothing of itself, which servers refuse.
    mongo = await driver.MongoClient.connect(starling.cluster.databaseUrl, { runtimeAdapters: { os } });
  }, 120_000);
  afterEach(() => starling.closeClients());
  afterAll(async () => {
    await mongo.close();
    await nats.close();
    await starling
      .dispose()
      .finally(() => Promise.all(Object.values(engines).map((engine) => engine.stop())));
  }, 60_000);

  function urlOf({ port }: Store): string {
    return `http://127.0.0.1:${port}`;
  }

  /** As its metrics say. */
  async function ledBy(store: Store): Promise<number[]> {
    const text = await (await fetchOnce(`${urlOf(store)}/metrics`)).text();
    const led = text.matchAll(/^starling_store_backlog\{partition="(\d+)"\}/gm);
    return [...led].map(([, partition]) => Number(partition)).sort((a, b) => a - b);
  }

  /** The leader of the partition, and the other message-store, once each leads its half and nobody says otherwise. */
  async function storesOf(partition: number): Promise<[leader: Store, other: Store]> {
    const stores = starling.cluster.of('message-store');
    const led = await until('an even share', async () => {
      const each = await Promise.all(stores.map(ledBy));
      const all = each.flat().sort((a, b) => a - b);
      return (
        each.every(({ length }) => length === PARTITIONS / 2) && new Set(all).size === PARTITIONS && each
      );
    });
    const [first, second] = [stores[0]!, stores[1]!];
    return led[0]!.includes(partition) ? [first, second] : [second, first];
  }

  const partitionOfGroup = (group: string) => partitionOf(groupConversation(group), PARTITIONS);
  const talkedIn = new Set<number>();

  /** A group at both gateways, whose messages are numbered, in a partition that no test has lost anything of. */
  async function talk() {
    let group = unique('group');
    while (talkedIn.has(partitionOfGroup(group))) group = unique('group');
    talkedIn.add(partitionOfGroup(group));
    const ann = await starling.login(unique('ann'), { gateway: 0 });
    const ben = await starling.login(unique('ben'), { gateway: 1 });
    for (const member of [ann, ben]) accepted(await member.join(group));
    let said = 0;
    const say = async (count: number) => {
      for (let i = 0; i < count; i++) accepted(await ann.sendToGroup(group, `message ${(said += 1)}`));
    };
    const expectAll = async () => {
      const history = await ben.wholeHistory(1, group);
      const expected = Array.from({ length: said }, (_, i) => ({ seq: i + 1, content: `message ${i + 1}` }));
      expect(history).toMatchObject(expected);
      await ben.waitForMessage(`message ${said}`);
      expect(ben.delivered.map((packet) => packet['seq'])).toEqual(expected.map(({ seq }) => seq));
    };
    return { partition: partitionOfGroup(group), say, expectAll };
  }

  it('are led by another message-store at once when theirs is stopped', async () => {
    const { partition, say, expectAll } = await talk();
    const [leader, other] = await storesOf(partition);
    await say(3);
    await leader.process.end('SIGTERM');
    const leadsAll = async () => (await ledBy(other)).length === PARTITIONS;
    await until('the other to lead all', leadsAll, AT_ONCE_MS);
    await say(3);
    await expectAll();
    await starling.cluster.restart(leader);
    // Each metric of a partition is that of its leader again, and nobody else's.
    await storesOf(partition);
  });

  /** What the store knows of the last submit that it has dealt with. */
  async function positionOf(partition: number): Promise<LogPosition> {
    const partitions = mongo.db().collection<LogPosition & { _id: number }>('partitions');
    const { position, messageId } = (await partitions.findOne({ _id: partition }))!;
    return { position, messageId };
  }

  async function readiness(store: Store): Promise<{ ready: boolean; notes: Record<string, string> }> {
    const response = await fetchOnce(`${urlOf(store)}/readyz`);
    return (await response.json()) as { ready: boolean; notes: Record<string, string> };
  }

  interface Case {
    readonly how: string;
    readonly found: string;
    /** Resolves with who has to find it. */
    lose(stream: string, leader: Store, other: Store): Promise<Store>;
  }

  it.each<Case>([
    {
      how: 'deleted under its leader',
      found: 'no log',
      async lose(stream, leader) {
        await manager.streams.delete(stream);
        return leader;
      },
    },
    {
      how: 'emptied before another leads it',
      found: 'nothing at the position',
      async lose(stream, leader, other) {
        await manager.streams.purge(stream);
        await leader.process.end('SIGTERM');
        return other;
      },
    },
  ])('say that a log has lost submits, and go on without a gap: $how', async ({ found, lose }) => {
    const { partition, say, expectAll } = await talk();
    const stores = await storesOf(partition);
    await say(3);
    const lost = { partition, ...(await positionOf(partition)), found };
    const countsBefore = await Promise.all(stores.map((store) => lossesAt(store)));

    const finder = await lose(`SUBMITS_${partition}`, ...stores);
    // Ready all the same, once it has opened the partition again: nobody else would do better.
    const note = await until('the note', async () => {
      const { ready, notes } = await readiness(finder);
      return ready && notes[`partition ${partition}`];
    });
    expect(note).toBe('its log has lost submits');
    const isLine = ({ msg }: { msg?: string }) => msg?.startsWith('the log has lost submits') ?? false;
    const lines = finder.process.logs.filter((line) => isLine(line) && line['partition'] === partition);
    expect(lines).toEqual([expect.objectContaining({ level: 'error', ...lost })]);
    expect(await lossesAt(finder)).toBe(countsBefore[stores.indexOf(finder)]! + 1);
    const rows = mongo.db().collection('log_losses').find({ partition });
    expect(await rows.toArray()).toEqual([expect.objectContaining(lost)]);

    await say(3);
    await expectAll();
    const ended = stores.filter(({ process }) => process.exit !== null);
    for (const store of ended) await starling.cluster.restart(store);
  });

  function lossesAt(store: Store): Promise<number> {
    return metricAt(urlOf(store), 'starling_store_log_losses_total');
  }
});
