import { connect, type NatsConnection } from '@nats-io/transport-node';
import { CloseReason } from '@starling/protocol';
import {
  accepted,
  type Alteration,
  type ChatClient,
  type Engines,
  fence,
  leaveOutFileWithout,
  Starling,
  startMongo,
  startNats,
  startRedis,
  unique,
  until,
} from '@starling/testing';
import { createClient } from 'redis';

const LEASE_MS = 3_000;
const PATIENCE_MS = 60_000;

/** Users of whose displaced sessions no word reaches a gateway, as when Redis drops it. */
const UNHEARD = 'unheard';
const lostWords: Alteration = {
  name: 'words of displaced sessions that are lost',
  edits: [
    {
      file: 'apps/presence/src/sessions/sessions.service.js',
      find: 'this.rooms.emit(userRoom(userId), {',
      replace: `if (!userId.includes('${UNHEARD}')) this.rooms.emit(userRoom(userId), {`,
    },
  ],
};

leaveOutFileWithout(['nats', 'redis', 'mongodb'], ['redis', 'mongodb'], 'sessions on a cluster');

let engines: Engines;
let starling: Starling;
let nats: NatsConnection;

beforeAll(async () => {
  const [natsServer, redis, mongodb] = await Promise.all([
    startNats(),
    startRedis({ config: { appendfsync: 'always' } }),
    startMongo(),
  ]);
  engines = { nats: natsServer, redis, mongodb };
  starling = new Starling({
    env: { SESSION_LEASE_MS: String(LEASE_MS), DEVICE_POLICY: 'one-per-platform' },
    cluster: { engines, alterations: { presence: lostWords } },
  });
  await starling.start();
  nats = await connect({ servers: natsServer.url });
}, 120_000);
afterEach(() => starling.closeClients());
afterAll(async () => {
  await nats.close();
  await starling.dispose();
  await Promise.all(Object.values(engines).map((engine) => engine.stop()));
}, 60_000);

/** Which platforms the user is shown on by presence; null when it does not answer. */
async function shownOn(userId: string): Promise<string[] | null> {
  const pattern = 'presence.sessions';
  try {
    const reply = await nats.request(pattern, JSON.stringify({ pattern, data: { userId }, id: '1' }), {
      timeout: 1_000,
    });
    const { response } = reply.json<{ response?: { sessions: { platform: string }[] } }>();
    return response?.sessions.map(({ platform }) => platform).sort() ?? null;
  } catch {
    return null;
  }
}

/** Two users, each on two platforms, at both gateways. */
async function people(): Promise<{ userIds: string[]; clients: ChatClient[] }> {
  const userIds = [unique('ann'), unique('ben')];
  const clients: ChatClient[] = [];
  for (const userId of userIds) {
    clients.push(await starling.login(userId, { gateway: 0 }, { platform: 'ios' }));
    clients.push(await starling.login(userId, { gateway: 1, form: 'bytes' }, { platform: 'web' }));
  }
  return { userIds, clients };
}

async function expectAllShown(userIds: readonly string[]): Promise<void> {
  for (const userId of userIds) {
    await until(`${userId} to be shown`, async () => (await shownOn(userId))?.length === 2, PATIENCE_MS);
  }
}

/** Looks all the time, while `disturb` runs, whether somebody is shown offline; a question without an answer shows nothing. */
async function shownOffline(userIds: readonly string[], disturb: () => Promise<void>): Promise<string[][]> {
  const offline: string[][] = [];
  let answers = 0;
  let disturbed = false;
  const looking = (async () => {
    while (!disturbed) {
      for (const userId of userIds) {
        const platforms = await shownOn(userId);
        if (platforms !== null) answers += 1;
        if (platforms !== null && platforms.length < 2) offline.push([userId, ...platforms]);
      }
    }
  })();
  await disturb().finally(() => (disturbed = true));
  await looking;
  expect(answers).toBeGreaterThan(10);
  return offline;
}

async function longerThanLeases(count: number): Promise<void> {
  const begun = performance.now();
  await until('the time', () => performance.now() - begun > count * LEASE_MS);
}

const ENDED = 'sessions ended: their gateway is gone';
const reaped = (): number => starling.logs.filter(({ msg }) => msg === ENDED).length;

it.each([0, 1])(
  'close a displaced one within a renewal though every word of it was lost (%i)',
  async (gateway) => {
    const ann = unique(UNHEARD);
    const fields = { platform: 'web', push: true };
    const older = await starling.login(ann, { gateway: 0, form: 'bytes' }, fields);
    const newer = await starling.login(ann, { gateway }, fields);
    expect(await older.waitForClose()).toEqual({
      code: CloseReason.DISPLACED.code,
      reason: CloseReason.DISPLACED.text,
    });
    await fence(await starling.login(unique('ben')), newer);
    expect(await until('presence to answer', () => shownOn(ann))).toEqual(['web']);
    expect(newer.closed).toBeNull();
  },
);

it('leave one of several that log in at the same moment though every word of it was lost', async () => {
  const ann = unique(UNHEARD);
  const clients = await Promise.all(
    Array.from({ length: 6 }, (_, i) => starling.connect(ann, { form: 'bytes', gateway: i })),
  );
  await Promise.allSettled(clients.map((client) => client.login({ platform: 'web' })));
  await until('all but one to be closed', () => clients.filter(({ closed }) => !closed).length === 1);
  const winner = clients.find(({ closed }) => !closed)!;
  await longerThanLeases(1);
  accepted(await winner.sendTo(ann, 'it stays'));
  expect(await until('presence to answer', () => shownOn(ann))).toEqual(['web']);
});

it('show nobody offline while presence stops and starts again, and while it is away for longer than a lease', async () => {
  const { userIds, clients } = await people();
  const before = reaped();
  const presence = starling.cluster.of('presence')[0]!;
  let again = presence;
  const offline = await shownOffline(userIds, async () => {
    await presence.process.end('SIGTERM', PATIENCE_MS);
    again = await starling.cluster.restart(presence);
    await expectAllShown(userIds);
    await again.process.end('SIGKILL', PATIENCE_MS);
    await longerThanLeases(2);
    again = await starling.cluster.restart(again);
    await expectAllShown(userIds);
    await longerThanLeases(2);
  });
  expect(offline).toEqual([]);
  expect(reaped()).toBe(before);
  for (const client of clients) expect(client.closed).toBeNull();
}, 120_000);

it('show nobody offline while each gateway stops and starts again, and its clients come back elsewhere', async () => {
  const { userIds, clients } = await people();
  let isOver = false;
  /** At the other gateway, as often as the one it is at stops. */
  const comeBack = async (client: ChatClient, gateway: number, platform: string): Promise<void> => {
    await client.waitForClose(PATIENCE_MS);
    if (isOver) return;
    const other = 1 - gateway;
    await comeBack(await starling.login(client.userId, { gateway: other }, { platform }), other, platform);
  };
  for (const [i, client] of clients.entries()) {
    comeBack(client, i % 2, i % 2 === 0 ? 'ios' : 'web').catch(() => undefined);
  }
  const offline = await shownOffline(userIds, async () => {
    for (const gateway of starling.cluster.gateways) {
      await gateway.process.end('SIGTERM', PATIENCE_MS);
      await starling.cluster.restart(gateway);
    }
    await longerThanLeases(2);
    await expectAllShown(userIds);
  });
  isOver = true;
  expect(offline).toEqual([]);
}, 120_000);

it('show nobody offline after a restart of Redis, which outlasted the leases', async () => {
  const { userIds, clients } = await people();
  const offline = await shownOffline(userIds, async () => {
    await engines.redis.kill9();
    await longerThanLeases(2);
    await engines.redis.restart();
    await expectAllShown(userIds);
    await longerThanLeases(2);
  });
  expect(offline).toEqual([]);
  for (const client of clients) expect(client.closed).toBeNull();
}, 120_000);

it('are all there again as soon as gateways reach a Redis that lost its data, and displaced ones stay so', async () => {
  const { userIds, clients } = await people();
  const before = reaped();
  const redis = await createClient({ url: engines.redis.url }).connect();
  await redis.flushAll();
  redis.destroy();
  await engines.redis.restart();
  await expectAllShown(userIds);
  expect(await shownOffline(userIds, () => longerThanLeases(2))).toEqual([]);
  expect(reaped()).toBe(before);
  for (const client of clients) expect(client.closed).toBeNull();
  const newer = await starling.login(userIds[0]!, { gateway: 1 }, { platform: 'ios' });
  await clients[0]!.waitForClose();
  await longerThanLeases(1);
  expect(newer.closed).toBeNull();
  expect(await until('presence to answer', () => shownOn(userIds[0]!))).toEqual(['ios', 'web']);
}, 120_000);

it('close one that was displaced while its gateway was stopped for longer than a lease', async () => {
  const ann = unique(UNHEARD);
  const older = await starling.login(ann, { gateway: 0, form: 'bytes' }, { platform: 'web' });
  const stopped = starling.cluster.gateways[0]!;
  process.kill(stopped.process.pid, 'SIGSTOP');
  const newer = await starling.login(ann, { gateway: 1, form: 'bytes' }, { platform: 'web' });
  try {
    await longerThanLeases(2);
    expect(older.closed).toBeNull();
  } finally {
    process.kill(stopped.process.pid, 'SIGCONT');
  }
  expect(await older.waitForClose(PATIENCE_MS)).toMatchObject({ code: CloseReason.DISPLACED.code });
  await longerThanLeases(1);
  expect(newer.closed).toBeNull();
  expect(await until('presence to answer', () => shownOn(ann))).toEqual(['web']);
}, 120_000);

it('of a gateway that died are gone after the lease, not before, and those of others stay', async () => {
  const { userIds } = await people();
  const [ann] = userIds as [string];
  const dying = starling.cluster.gateways[1]!;
  const begun = performance.now();
  await dying.process.end('SIGKILL', PATIENCE_MS);
  expect(await until('presence to answer', () => shownOn(ann))).toEqual(['ios', 'web']);
  await until('the sessions to end', async () => (await shownOn(ann))?.length === 1, PATIENCE_MS);
  const took = performance.now() - begun;
  // The last renewal was at most a third of a lease before.
  expect(took).toBeGreaterThan(LEASE_MS / 2);
  for (const userId of userIds) {
    await until(`${userId} to be shown on one`, async () => (await shownOn(userId))?.length === 1);
    expect(await until('presence to answer', () => shownOn(userId))).toEqual(['ios']);
  }
  const told = () => starling.logs.filter(({ msg }) => msg === ENDED).map(({ sessions }) => Number(sessions));
  await until('presence to say so', () => told().reduce((sum, sessions) => sum + sessions, 0) === 2);
  await starling.cluster.restart(dying);
}, 120_000);
