import { createShardedAdapter } from '@socket.io/redis-adapter';
import { groupConversation } from '@starling/protocol';
import { describeWithEngines, startRedis, until, type Engine } from '@starling/testing';
import { createClient } from 'redis';
import { Server } from 'socket.io';
import { newInstallation, RedisEmitting, RedisPod } from '../../test/redis-pod.js';
import { ROOM_EVENT } from '../room-adapter.js';
import type { MessageEvent, RoomEvent } from '../room-event.js';
import { groupRoom, userRoom } from '../room-names.js';
import { roomsContract } from '../rooms.contract.js';
import { channelPrefix, roomChannel } from './room-channel.js';

const SEA = groupRoom('sea');
const ANN = userRoom('ann');

const event: MessageEvent = {
  kind: 'message',
  conversation: groupConversation('sea'),
  seq: 1,
  messageId: 'id-1',
  sender: 'ann',
  partition: 3,
  position: 2,
  previousPosition: 1,
  membershipVersion: 7,
  body: '"content":"群组😀"',
};

/** One Redis here. That rooms are spread over the nodes of a Redis cluster cannot be tried without one. */
describeWithEngines(['redis'], 'rooms over Redis', () => {
  let redis: Engine;

  beforeAll(async () => {
    redis = await startRedis();
  }, 90_000);
  afterAll(() => redis.stop());

  roomsContract('over Redis', async () => {
    const installation = newInstallation();
    const emitting = await new RedisEmitting(redis.url, installation).ready();
    const pods = [new RedisPod(redis.url, installation), new RedisPod(redis.url, installation)];
    return {
      emitter: emitting.emitter,
      pods: pods.map(({ rooms }) => rooms),
      async stop() {
        emitting.stop();
        for (const pod of pods) pod.stop();
      },
    };
  });

  describe('beyond the contract', () => {
    const installation = newInstallation();
    let pod: RedisPod;
    let other: RedisPod;
    let emitting: RedisEmitting;
    let received: RoomEvent[];

    beforeEach(async () => {
      pod = new RedisPod(redis.url, installation);
      other = new RedisPod(redis.url, installation);
      emitting = await new RedisEmitting(redis.url, installation).ready();
      received = [];
      pod.rooms.onEvent((_, incoming) => received.push(incoming));
    });
    afterEach(() => {
      for (const each of [emitting, pod, other]) each.stop();
    });

    const subscribers = async (room: typeof SEA): Promise<number> =>
      Object.values(await emitting.publisher.pubSubShardNumSub([roomChannel(installation, room)]))[0] ?? 0;

    it('subscribes a pod to the rooms that have a member there, and to no other', async () => {
      await pod.rooms.join('a', [SEA]);
      await pod.rooms.join('b', [SEA]);
      expect(await subscribers(SEA)).toBe(1);
      await other.rooms.join('c', [SEA, ANN]);
      expect([await subscribers(SEA), await subscribers(ANN)]).toEqual([2, 1]);
      pod.rooms.drop('a');
      expect(await subscribers(SEA)).toBe(2);
      pod.rooms.drop('b');
      other.rooms.leave('c', ANN);
      await until(
        'the unsubscribing',
        async () => (await subscribers(SEA)) === 1 && (await subscribers(ANN)) === 0,
      );
    });

    it('counts one event a pod for each that was emitted, whatever the members, and none at a pod without', async () => {
      for (let i = 0; i < 5; i++) await pod.rooms.join(`member ${i}`, [SEA]);
      for (let seq = 1; seq <= 20; seq++) emitting.emitter.emit(SEA, { ...event, seq });
      await until('the events', () => received.length === 20);
      const count = async ({ metrics }: RedisPod): Promise<number> =>
        (await metrics.getSingleMetric('starling_room_events_received_total')!.get()).values[0]!.value;
      expect([await count(pod), await count(other)]).toEqual([20, 0]);
      await until('the answers', async () => (await emitting.emits('published')) === 20);
    });

    it('is read by a plain Socket.IO server on the same adapter', async () => {
      const [pub, sub] = [createClient({ url: redis.url }), createClient({ url: redis.url })];
      await Promise.all([pub.connect(), sub.connect()]);
      const adapter = createShardedAdapter(pub, sub, { channelPrefix: channelPrefix(installation) });
      const server = new Server({ adapter: adapter as never });
      const broadcasts: unknown[] = [];
      const plain = server.of('/').adapter as unknown as { onMessage(message: unknown): void } & {
        addAll(id: string, rooms: Set<string>): void;
      };
      plain.onMessage = (message) => broadcasts.push(message);
      plain.addAll('a', new Set([SEA]));
      await until('the subscription', async () => (await subscribers(SEA)) === 1);
      emitting.emitter.emit(SEA, event);
      await until('the broadcast', () => broadcasts.length > 0);
      expect(broadcasts).toEqual([
        {
          uid: 'emitter',
          nsp: '/',
          type: 3,
          data: {
            opts: { rooms: [SEA], except: [] },
            packet: { type: 2, data: [ROOM_EVENT, event] },
          },
        },
      ]);
      pub.destroy();
      sub.destroy();
    });

    it('takes the event from a plain Socket.IO server that emits to the room', async () => {
      const [pub, sub] = [createClient({ url: redis.url }), createClient({ url: redis.url })];
      await Promise.all([pub.connect(), sub.connect()]);
      const adapter = createShardedAdapter(pub, sub, { channelPrefix: channelPrefix(installation) });
      const server = new Server({ adapter: adapter as never });
      await pod.rooms.join('a', [SEA]);
      server.to(SEA).emit(ROOM_EVENT, event);
      await until('the event', () => received.length > 0);
      expect(received).toEqual([event]);
      pub.destroy();
      sub.destroy();
    });

    it('drops what it cannot read, or does not know, and goes on', async () => {
      await pod.rooms.join('a', [SEA]);
      const publish = (data: unknown) =>
        emitting.publisher.sPublish(
          roomChannel(installation, SEA),
          typeof data === 'string'
            ? data
            : JSON.stringify({
                uid: 'emitter',
                nsp: '/',
                type: 3,
                data: { opts: { rooms: [SEA], except: [] }, packet: { type: 2, data } },
              }),
        );
      for (const data of [
        '',
        'rubbish',
        '{',
        '{}',
        [ROOM_EVENT],
        [ROOM_EVENT, null],
        [ROOM_EVENT, 'text'],
        [ROOM_EVENT, { kind: 'message' }],
        [ROOM_EVENT, { kind: 'unknown', body: '' }],
        [ROOM_EVENT, { kind: 'close', sessionId: 's1', reason: 'toString' }],
        [ROOM_EVENT, { kind: 'close', sessionId: 1, reason: 'DISPLACED' }],
      ]) {
        await publish(data);
      }
      emitting.emitter.emit(SEA, event);
      await until('the event', () => received.length > 0);
      expect(received).toEqual([event]);
    });

    it('goes on when who takes an event throws', async () => {
      await pod.rooms.join('a', [SEA]);
      pod.rooms.onEvent((_, incoming) => {
        received.push(incoming);
        throw new Error('on purpose');
      });
      for (let seq = 1; seq <= 50; seq++)
        emitting.emitter.emit(SEA, { ...event, seq, body: 'x'.repeat(seq * 100) });
      await until('all events', () => received.length === 50);
    });

    it('does nothing to the sockets of other pods when a server disconnects its own', async () => {
      const touched: string[] = [];
      const sockets = pod.server.of('/').sockets as unknown as Map<string, unknown>;
      await pod.rooms.join('s', [SEA]);
      sockets.set('s', { id: 's', disconnect: () => touched.push('s') });
      const said: string[] = [];
      const toAll = `${channelPrefix(installation)}#/#`;
      await pod.subscriber.sSubscribe(toAll, (message) => said.push(message));
      other.server.disconnectSockets(true);
      other.server.socketsLeave(SEA);
      // One that says it nevertheless is not heard.
      const order = { uid: 'x', nsp: '/', type: 6, data: { opts: { rooms: [], except: [] }, close: true } };
      await emitting.publisher.sPublish(toAll, JSON.stringify(order));
      emitting.emitter.emit(SEA, event);
      await until('the event', () => received.length > 0);
      expect(said).toEqual([JSON.stringify(order)]);
      expect(touched).toEqual([]);
      expect(pod.rooms.membersOf(SEA)?.size).toBe(1);
      sockets.delete('s');
    });
  });
});
