import { groupConversation } from '@starling/protocol';
import { describeWithOwnEngines, startRedis, until, withPatience, type Engine } from '@starling/testing';
import { newInstallation, RedisEmitting, RedisPod } from '../../test/redis-pod.js';
import type { MessageEvent } from '../room-event.js';
import { groupRoom, type RoomName } from '../room-names.js';

const PATIENCE_MS = 60_000;
const ROOMS = 3_000;

/** What happens to rooms when Redis, or the way to it, fails; each test leaves Redis well. */
describeWithOwnEngines(['redis'], 'rooms over a Redis that fails', () => {
  let redis: Engine;
  let installation: string;
  let pod: RedisPod;
  let emitting: RedisEmitting;
  let received: [RoomName, number][];
  let cuts: number;

  beforeAll(async () => {
    redis = await startRedis();
  }, 90_000);
  afterAll(() => redis.stop());

  beforeEach(async () => {
    installation = newInstallation();
    pod = new RedisPod(redis.url, installation);
    emitting = await new RedisEmitting(redis.url, installation).ready();
    await until('the pod to be connected', () => pod.subscriber.isReady);
    received = [];
    cuts = 0;
    pod.rooms.onEvent((room, event) => received.push([room, (event as MessageEvent).seq]));
    pod.rooms.onCut(() => (cuts += 1));
  });
  afterEach(() => {
    emitting.stop();
    pod.stop();
  });

  const rooms = (count: number): RoomName[] =>
    Array.from({ length: count }, (_, i) => groupRoom(`group ${i}`));

  /** Fails unless each room's event of this seq arrives once. */
  const expectAllToReceive = async (all: readonly RoomName[], seq: number): Promise<void> => {
    await until('the publisher to be back', () => emitting.publisher.isReady, PATIENCE_MS);
    for (const room of all) emitting.emitter.emit(room, message(seq));
    const arrived = () => received.filter(([, its]) => its === seq).map(([room]) => room);
    await until(`${all.length} events`, () => arrived().length >= all.length, PATIENCE_MS);
    expect(arrived()).toEqual(all);
  };

  it.each([
    ['a kill -9', () => redis.kill9()],
    ['a clean stop', async () => undefined],
  ])(
    'has 3,000 rooms again after %s and a restart, and says so',
    async (_, end) => {
      const all = rooms(ROOMS);
      for (let i = 0; i < ROOMS; i += 10) void pod.rooms.join(`member ${i}`, all.slice(i, i + 10));
      await pod.rooms.join('last', all.slice(-1));
      await until('all to be subscribed', async () => (await channels()) === ROOMS, PATIENCE_MS);
      await expectAllToReceive(all, 1);
      // On a busy machine subscribing may have taken so long that joins did not wait for it, which is told too.
      cuts = 0;
      const { port } = redis;
      await end();
      await redis.restart();
      expect(redis.port).toBe(port);
      await until('the notice', () => cuts === 1, PATIENCE_MS);
      await expectAllToReceive(all, 2);
      expect(cuts).toBe(1);
    },
    120_000,
  );

  it('has its rooms again after the connections were cut, also in the middle of subscribing', async () => {
    const all = rooms(ROOMS);
    const joins = all.map((room, i) => pod.rooms.join(`member ${i}`, [room]));
    for (let cut = 1; cut <= 3; cut++) {
      await emitting.publisher.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
      await until('the notice', () => cuts >= cut, PATIENCE_MS);
    }
    await withPatience(Promise.all(joins), 'the joins', PATIENCE_MS);
    await until('no more to be subscribed', async () => (await channels()) === ROOMS, PATIENCE_MS);
    await expectAllToReceive(all, 1);
  }, 120_000);

  it('follows joins and leaves made while Redis was away', async () => {
    await pod.rooms.join('a', [groupRoom('stays'), groupRoom('left'), groupRoom('left and joined')]);
    await redis.kill9();
    await until('the cut', () => !pod.subscriber.isReady);
    pod.rooms.leave('a', groupRoom('left'));
    pod.rooms.leave('a', groupRoom('left and joined'));
    const joined = pod.rooms.join('a', [groupRoom('joined'), groupRoom('left and joined')]);
    void pod.rooms.join('a', [groupRoom('joined and left')]);
    pod.rooms.leave('a', groupRoom('joined and left'));
    // It does not wait for a Redis that is away, or a login would.
    await withPatience(joined, 'the join', 5_000);
    await redis.restart();
    const wanted = [groupRoom('stays'), groupRoom('joined'), groupRoom('left and joined')];
    await until('the rooms', async () => pod.subscriber.isReady && (await channels()) === wanted.length);
    // One when connected again, one when the join that had not waited was confirmed.
    await until('the notices', () => cuts >= 1);
    for (const name of ['left', 'joined and left']) emitting.emitter.emit(groupRoom(name), message(1));
    await expectAllToReceive(wanted, 2);
    expect(received).toHaveLength(wanted.length);
  }, 60_000);

  it('has a join wait until Redis has confirmed it', async () => {
    redis.pause();
    let isOver = false;
    const joined = pod.rooms.join('a', [groupRoom('sea')]).then(() => (isOver = true));
    const begun = performance.now();
    try {
      await until('time for it to be over', () => performance.now() - begun > 200);
      expect(isOver).toBe(false);
    } finally {
      redis.resume();
    }
    await joined;
    await expectAllToReceive([groupRoom('sea')], 1);
    expect(cuts).toBe(0);
  });

  it('notices when a join that did not wait is confirmed, though nothing was cut', async () => {
    redis.pause();
    try {
      await withPatience(pod.rooms.join('a', [groupRoom('sea')]), 'the join', 5_000);
      expect(cuts).toBe(0);
    } finally {
      redis.resume();
    }
    await until('the notice', () => cuts > 0);
    await expectAllToReceive([groupRoom('sea')], 1);
  });

  it('gives a Redis up that is silent for long, and has its rooms when it is back', async () => {
    const all = rooms(100);
    await pod.rooms.join('a', all);
    redis.pause();
    try {
      await until('the giving up', () => !pod.subscriber.isReady && !emitting.publisher.isReady, PATIENCE_MS);
    } finally {
      redis.resume();
    }
    await until('the notice', () => cuts > 0, PATIENCE_MS);
    await expectAllToReceive(all, 1);
  }, 90_000);

  it('emits without throwing, waiting or growing while Redis is away or silent', async () => {
    await pod.rooms.join('a', [groupRoom('sea')]);
    const big = { ...message(1), body: 'x'.repeat(64 << 10) };
    const emitMany = (count: number): number => {
      const start = performance.now();
      for (let i = 0; i < count; i++) emitting.emitter.emit(groupRoom('sea'), { ...big, seq: i });
      return performance.now() - start;
    };
    redis.pause();
    const before = process.memoryUsage();
    try {
      // 1.2 GB, of which at most 32 MB may be kept.
      emitMany(20_000);
      await until('the drops', async () => (await emitting.emits('dropped')) > 19_000);
      const { external, heapUsed } = process.memoryUsage();
      expect(external + heapUsed - before.external - before.heapUsed).toBeLessThan(200 << 20);
    } finally {
      redis.resume();
    }
    await redis.kill9();
    await until('the cut', () => !emitting.publisher.isReady);
    expect(emitMany(100_000)).toBeLessThan(2_000);
    await redis.restart();
    await until('the rooms', () => pod.subscriber.isReady, PATIENCE_MS);
    await expectAllToReceive([groupRoom('sea')], 1_000_000);
  }, 120_000);

  const channels = async (): Promise<number> => {
    if (!emitting.publisher.isReady) return -1;
    const names = await emitting.publisher.pubSubShardChannels(`${installation}.rooms#/#*[ug].*`);
    return names.length;
  };
});

function message(seq: number): MessageEvent {
  return {
    kind: 'message',
    conversation: groupConversation('sea'),
    seq,
    messageId: `id-${seq}`,
    sender: 'ann',
    partition: 3,
    position: seq,
    previousPosition: seq - 1,
    membershipVersion: 7,
    body: '"content":"hello"',
  };
}
