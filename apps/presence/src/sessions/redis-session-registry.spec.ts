import type { SessionRecord } from '@starling/bus';
import { connectRedis, type RedisClient } from '@starling/redis';
import {
  describeWithEngines,
  describeWithOwnEngines,
  type Engine,
  startRedis,
  until,
} from '@starling/testing';
import { pino } from 'pino';
import { keysOf, memberOf, SHARDS, shardOf } from './redis-session-keys.js';
import { RedisSessionRegistry, SESSIONS_CONNECTION } from './redis-session-registry.js';
import { sessionRegistryContract } from './session-registry.contract.js';

const SILENT = pino({ level: 'silent' });
const LONG_MS = 600_000;
const PATIENCE_MS = 60_000;

let prefixes = 0;
const newPrefix = (): string => `test-${process.pid}-${Date.now()}-${++prefixes}`;

const connect = async (redis: Engine): Promise<RedisClient> => {
  const client = connectRedis({ url: redis.url, ...SESSIONS_CONNECTION }, SILENT);
  await until('the connection', () => client.isReady);
  return client;
};

/** One Redis here. That groups of keys live on different nodes of a Redis cluster cannot be tried without one. */
describeWithEngines(['redis'], 'sessions in Redis', () => {
  let redis: Engine;
  let client: RedisClient;

  beforeAll(async () => {
    redis = await startRedis();
    client = await connect(redis);
  }, 90_000);
  afterAll(async () => {
    client.destroy();
    await redis.stop();
  });

  sessionRegistryContract('in Redis', async (leaseMs) => ({
    registry: new RedisSessionRegistry(client, leaseMs, newPrefix()),
    stop: async () => {},
  }));

  describe('several presence services', () => {
    it('share sessions, the maximum and what is reaped', async () => {
      const prefix = newPrefix();
      const others = [await connect(redis), await connect(redis)];
      const services = [client, ...others].map((each) => new RedisSessionRegistry(each, 500, prefix));
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, i) => open(services[i % 3]!, session(`s${i}`), 7)),
      );
      expect(answers.filter(Boolean)).toHaveLength(7);
      expect(await services[2]!.sessionsOf('ada')).toHaveLength(7);
      const reaped: SessionRecord[] = [];
      await until('all to be reaped', async () => {
        const rounds = await Promise.all(services.map((service) => service.reap()));
        reaped.push(...rounds.flat());
        return reaped.length >= 7;
      });
      expect(new Set(reaped.map(({ sessionId }) => sessionId)).size).toBe(7);
      expect(reaped).toHaveLength(7);
      for (const other of others) other.destroy();
    });
  });

  it('renews ten thousand sessions of many users, known or not, and leaves nothing behind when they are closed', async () => {
    const prefix = newPrefix();
    const registry = new RedisSessionRegistry(client, LONG_MS, prefix);
    const sessions = Array.from({ length: 10_000 }, (_, i) => session(`s${i}`, `user ${i % 4_000}`));
    for (let round = 0; round < 2; round++) {
      await registry.renew(sessions, 'multi');
      expect(await registry.count()).toEqual({ sessions: 10_000, users: 4_000 });
    }
    expect((await registry.sessionsOf('user 7')).map(({ sessionId }) => sessionId).sort()).toEqual([
      's4007',
      's7',
      's8007',
    ]);
    await Promise.all(sessions.map(({ userId, sessionId }) => registry.close(userId, sessionId)));
    const left = await client.keys(`${prefix}:*`);
    expect(left.filter((key) => !key.endsWith(':clock'))).toEqual([]);
  });

  it('spreads users over all groups of keys, each with one hash tag of its own', () => {
    const shards = new Set(Array.from({ length: 1000 }, (_, i) => shardOf(`user ${i}`)));
    expect(shards.size).toBe(SHARDS);
    const tags = [...shards].map(
      (shard) => new Set(keysOf('p', shard).map((key) => /\{(.+?)\}/.exec(key)?.[1])),
    );
    for (const tag of tags) expect(tag.size).toBe(1);
    expect(new Set(tags.flatMap((tag) => [...tag])).size).toBe(SHARDS);
  });

  it('names the sessions of different users differently, however their ids are cut', () => {
    const names = new Set(
      ['a', 'a.', 'a.b', '', '.'].flatMap((user) => ['b', '.b', 'b.', ''].map((id) => memberOf(user, id))),
    );
    expect(names.size).toBe(20);
  });
});

/** What a Redis that fails does to sessions. Each test leaves it well. */
describeWithOwnEngines(['redis'], 'sessions in a Redis that fails', () => {
  let redis: Engine;
  let client: RedisClient;

  beforeAll(async () => {
    // Else what it had not written when it was killed is lost, now and then: that is the test of lost data.
    redis = await startRedis({ config: { appendfsync: 'always' } });
  }, 90_000);
  afterAll(() => redis.stop());
  beforeEach(async () => {
    client = await connect(redis);
  });
  afterEach(() => client.destroy());

  it('shows nobody offline after a restart that outlasted the leases, and ends them when they are not renewed', async () => {
    const leaseMs = 1_500;
    const registry = new RedisSessionRegistry(client, leaseMs, newPrefix());
    await open(registry, session('s1'), 5);
    await open(registry, session('s2', 'bob'), 5);
    await redis.kill9();
    const away = performance.now();
    await until('longer than a lease', () => performance.now() - away > 2 * leaseMs);
    await redis.restart();
    await until('the connection', () => client.isReady, PATIENCE_MS);
    expect(await registry.reap()).toEqual([]);
    expect(await ids(registry)).toEqual(['s1']);
    const reaped: SessionRecord[] = [];
    await until('bob, whom nobody renews', async () => {
      await registry.renew([session('s1')], 'multi');
      reaped.push(...(await registry.reap()));
      return reaped.length > 0;
    });
    expect(reaped).toMatchObject([{ sessionId: 's2', userId: 'bob' }]);
    expect(await ids(registry)).toEqual(['s1']);
  }, 60_000);

  it('shows everybody again with the next renewal after Redis lost its data', async () => {
    const registry = new RedisSessionRegistry(client, LONG_MS, newPrefix());
    const online = Array.from({ length: 100 }, (_, i) => session(`s${i}`, `user ${i}`));
    await registry.renew(online, 'multi');
    await client.flushAll();
    await redis.restart();
    await until('the connection', () => client.isReady, PATIENCE_MS);
    expect(await registry.count()).toEqual({ sessions: 0, users: 0 });
    await registry.renew(online, 'multi');
    expect(await registry.count()).toEqual({ sessions: 100, users: 100 });
    expect(await registry.sessionsOf('user 7')).toEqual([online[7]]);
  }, 60_000);

  it('waits for a Redis that is back soon, and refuses as unavailable when it is not', async () => {
    const registry = new RedisSessionRegistry(client, LONG_MS, newPrefix());
    await redis.kill9();
    await until('the cut', () => !client.isReady);
    await expect(open(registry, session('s1'), 5)).rejects.toMatchObject({ error: 'UNAVAILABLE' });
    const waiting = until('a login that is let in', () =>
      open(registry, session('s2'), 5).catch(() => false),
    );
    await redis.restart();
    await waiting;
    expect(await ids(registry)).toEqual(['s2']);
  }, 60_000);

  it('refuses as unavailable what a silent Redis does not answer, and works when it is back', async () => {
    const registry = new RedisSessionRegistry(client, LONG_MS, newPrefix());
    redis.pause();
    try {
      await expect(open(registry, session('s1'), 5)).rejects.toMatchObject({ error: 'UNAVAILABLE' });
    } finally {
      redis.resume();
    }
    await until('a login that is let in', () => open(registry, session('s1'), 5).catch(() => false));
    expect(await ids(registry)).toEqual(['s1']);
  }, 60_000);

  it('goes on after its connection was cut', async () => {
    const registry = new RedisSessionRegistry(client, LONG_MS, newPrefix());
    await open(registry, session('s1'), 5);
    for (let round = 0; round < 3; round++) {
      await client.sendCommand(['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'no']).catch(() => undefined);
      expect(await ids(registry).catch(() => ids(registry))).toEqual(['s1']);
    }
  });
});

async function open(
  registry: RedisSessionRegistry,
  session: SessionRecord,
  maxSessions: number,
): Promise<boolean> {
  return (await registry.open(session, { maxSessions, policy: 'multi' })) !== null;
}

async function ids(registry: RedisSessionRegistry): Promise<string[]> {
  return (await registry.sessionsOf('ada')).map(({ sessionId }) => sessionId);
}

function session(sessionId: string, userId = 'ada'): SessionRecord {
  return {
    sessionId,
    userId,
    device: null,
    platform: null,
    gatewayId: 'gateway-1',
    since: 1_700_000_000_000,
  };
}
