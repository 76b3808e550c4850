import {
  accepted,
  type Alteration,
  type ChatClient,
  describeWithOwnEngines,
  type Engines,
  fence,
  Starling,
  startMongo,
  startNats,
  startRedis,
  unique,
  until,
} from '@starling/testing';
import { killedAt } from './alterations/killed-at.js';

/** As Redis may drop what it was given, without a sign. */
const DROPPED = 'dropped by Redis';
const dropped: Alteration = {
  name: 'a room event that is lost',
  edits: [
    {
      file: 'libs/rooms/src/redis/redis-room-emitter.js',
      find: 'if (!this.publisher.isReady ||',
      replace: `if (JSON.stringify(event).includes(${JSON.stringify(DROPPED)}) || !this.publisher.isReady ||`,
    },
  ],
};

/** The cases in which no later message shows that one is missing. */
describeWithOwnEngines(['nats', 'redis', 'mongodb'], 'an only message whose room event was lost', () => {
  let engines: Engines;
  let starling: Starling;

  afterEach(() => starling.closeClients());

  function useCluster(env: Readonly<Record<string, string>>): void {
    beforeAll(async () => {
      const [nats, redis, mongodb] = await Promise.all([startNats(), startRedis(), startMongo()]);
      engines = { nats, redis, mongodb };
      starling = new Starling({
        profile: 'cluster',
        env: { PARTITION_LEASE_MS: '1500', ...env },
        cluster: { engines, alterations: { 'message-store': dropped } },
      });
      await starling.start();
    }, 90_000);
    afterAll(async () => {
      await starling
        .dispose()
        .finally(() => Promise.all(Object.values(engines).map((engine) => engine.stop())));
    }, 60_000);
  }

  /** Who has never spoken to the other, at both gateways, and a group of theirs. */
  async function strangersToEachOther(): Promise<{ ann: ChatClient; ben: ChatClient[]; group: string }> {
    const [ann, ben, group] = [unique('ann'), unique('ben'), unique('group')];
    const clients = await Promise.all([
      starling.login(ann, { gateway: 0 }),
      starling.login(ben, { gateway: 0, form: 'bytes' }),
      starling.login(ben, { gateway: 1 }),
    ]);
    for (const client of clients.slice(0, 2)) accepted(await client.join(group));
    return { ann: clients[0], ben: clients.slice(1), group };
  }

  async function expectOnce(ann: ChatClient, clients: readonly ChatClient[], content: string): Promise<void> {
    for (const client of clients) await client.waitForMessage(content);
    for (const client of clients) {
      await fence(ann, client);
      const times = client.delivered.filter((packet) => packet['content'] === content);
      expect(times).toHaveLength(1);
    }
  }

  describe('is found by asking, when nobody knows of the loss:', () => {
    useCluster({ FEED_CHECK_MS: '1000' });

    it.each(['private', 'group'])('it reaches everybody once though Redis dropped it (%s)', async (kind) => {
      const { ann, ben, group } = await strangersToEachOther();
      const content = `${DROPPED}: ${kind}`;
      accepted(
        await (kind === 'group' ? ann.sendToGroup(group, content) : ann.sendTo(ben[0]!.userId, content)),
      );
      await expectOnce(ann, ben, content);
    });
  });

  describe('is found at once, long before anybody would ask, when who knows of the loss tells:', () => {
    useCluster({ FEED_CHECK_MS: '3600000' });

    it.each(['private', 'group'])('it reaches everybody once though Redis was away (%s)', async (kind) => {
      const { ann, ben, group } = await strangersToEachOther();
      const content = `unseen by Redis: ${kind}`;
      await engines.redis.kill9();
      accepted(
        await (kind === 'group' ? ann.sendToGroup(group, content) : ann.sendTo(ben[0]!.userId, content)),
      );
      await engines.redis.restart();
      await expectOnce(ann, ben, content);
    });

    it.each(['private', 'group'])(
      'it reaches everybody once though its worker died between commit and emit (%s)',
      async (kind) => {
        const { ann, ben, group } = await strangersToEachOther();
        const content = `the last words of a worker: ${kind}`;
        const { cluster } = starling;
        const [store] = cluster.of('message-store');
        await store!.process.end('SIGTERM');
        const dying = cluster.restartUntilKilled(store!, killedAt('store between commit and emit', 1));
        const [chatType, to] = kind === 'group' ? [1, group] : [0, ben[0]!.userId];
        const packet = ann.message(to, chatType, content);
        // Not accepted as long as nobody leads the partition.
        await until('its acknowledgement', async () => (await ann.request(packet))['success'], 60_000);
        await cluster.restart(await dying);
        await expectOnce(ann, ben, content);
      },
      120_000,
    );
  });
});
