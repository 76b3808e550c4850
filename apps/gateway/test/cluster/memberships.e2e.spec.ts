import {
  accepted,
  type ChatClient,
  describeWithOwnEngines,
  type Engines,
  expectRefusal,
  fence,
  Starling,
  startMongo,
  startNats,
  startRedis,
  unique,
  until,
} from '@starling/testing';

/** The promise itself, though the machine may be busy: it takes milliseconds. */
const REMOVED_WITHIN_MS = 1_000;

describeWithOwnEngines(['nats', 'redis', 'mongodb'], 'memberships across gateways', () => {
  let engines: Engines;
  let starling: Starling;

  beforeAll(async () => {
    const [nats, redis, mongodb] = await Promise.all([startNats(), startRedis(), startMongo()]);
    engines = { nats, redis, mongodb };
    starling = new Starling({
      profile: 'cluster',
      env: { FEED_CHECK_MS: '500', PACKETS_PER_SECOND: '10000', PACKETS_BURST: '10000' },
      cluster: { engines },
    });
    await starling.start();
  }, 90_000);
  afterEach(() => starling.closeClients());
  afterAll(async () => {
    await starling.dispose();
    await Promise.all(Object.values(engines).map((engine) => engine.stop()));
  }, 60_000);

  /** A connection on each gateway. */
  function twice(user: string): Promise<ChatClient[]> {
    return Promise.all([0, 1].map((gateway) => starling.login(user, { gateway })));
  }

  it.each([0, 1])(
    "a join on gateway 0 is in force for the joiner's next packet on gateway %d",
    async (next) => {
      const group = unique('group');
      const ben = await twice(unique('ben'));
      accepted(await ben[0]!.join(group));
      expect(accepted(await ben[next]!.sendToGroup(group, 'here'))).toMatchObject({ seq: 1 });
      await ben[1 - next]!.waitForMessage('here');
    },
  );

  it('a join is in force for the packet right behind it', async () => {
    const group = unique('group');
    const ben = await starling.login(unique('ben'), { gateway: 1, form: 'bytes' });
    const [join, send] = [ben.join(group), ben.sendToGroup(group, 'at once')];
    accepted(await join);
    expect(accepted(await send)).toMatchObject({ seq: 1 });
  });

  describe('a removal', () => {
    /** Tries until the gateway refuses; answers how long that took. */
    async function refusedAfter(client: ChatClient, group: string): Promise<number> {
      const begin = performance.now();
      await until('the refusal of a former member', async () => {
        const answer = await client.sendToGroup(group, 'may I?');
        if (answer['success'] === true) return false;
        expectRefusal(answer, 'NOT_A_MEMBER');
        return true;
      });
      return performance.now() - begin;
    }

    it('takes effect on every gateway within a second', async () => {
      const group = unique('group');
      const ann = await starling.login(unique('ann'), { gateway: 1 });
      const ben = await twice(unique('ben'));
      for (const client of [ann, ben[0]!]) accepted(await client.join(group));
      accepted(await ben[0]!.quit(group));
      expect(await refusedAfter(ben[1]!, group)).toBeLessThan(REMOVED_WITHIN_MS);
      accepted(await ann.sendToGroup(group, 'among us'));
      for (const client of ben) await fence(ann, client);
      for (const client of ben) {
        expect(client.delivered.some(({ content }) => content === 'among us')).toBe(false);
      }
    });

    it('takes effect on every gateway within a second while Redis is away, and stays', async () => {
      const group = unique('group');
      const members = await twice(unique('ann'));
      const ben = await twice(unique('ben'));
      for (const client of [members[0]!, ben[0]!]) accepted(await client.join(group));
      accepted(await members[0]!.sendToGroup(group, 'before'));
      for (const client of [members[1]!, ...ben]) await client.waitForMessage('before');

      await engines.redis.kill9();
      accepted(await ben[0]!.quit(group));
      expect(await refusedAfter(ben[1]!, group)).toBeLessThan(REMOVED_WITHIN_MS);
      const answer = accepted(await members[0]!.sendToGroup(group, 'among us'));
      // Without Redis gateways hear of it only by asking the store.
      expect(await members[1]!.waitForMessage('among us')).toMatchObject({ seq: answer['seq'] });

      await engines.redis.restart();
      accepted(await members[1]!.sendToGroup(group, 'and later'));
      await members[0]!.waitForMessage('and later');
      for (const client of ben) await fence(members[0]!, client);
      for (const client of ben) {
        const shown = client.delivered.map(({ content }) => content);
        expect(shown.filter((content) => content === 'among us' || content === 'and later')).toEqual([]);
      }
    });
  });
});
