import { groupConversation } from '@starling/protocol';
import { until } from '@starling/testing';
import type { RoomEmitter } from './room-emitter.js';
import type { CloseEvent, HeadEvent, MessageEvent, PacketEvent, RoomEvent } from './room-event.js';
import type { RoomMembers } from './room-members.js';
import { groupRoom, type RoomName, userRoom } from './room-names.js';

export interface RoomsUnderTest {
  readonly emitter: RoomEmitter;
  /** Each with a Socket.IO server that has its adapter; two where the implementation reaches further than one process. */
  readonly pods: readonly RoomMembers[];
  stop(): Promise<void>;
}

/** What every pair of RoomEmitter and RoomMembers promises while nothing is lost. */
export function roomsContract(name: string, start: () => Promise<RoomsUnderTest>): void {
  describe(`rooms: ${name}`, () => {
    let under: RoomsUnderTest;
    let emitter: RoomEmitter;
    let pods: readonly Pod[];

    beforeEach(async () => {
      under = await start();
      emitter = under.emitter;
      pods = under.pods.map((members) => new Pod(members));
      await Promise.all(pods.map(({ members }) => members.join('who waits', [FENCE])));
    });
    afterEach(() => under.stop());

    /** Resolves when everything emitted before has arrived wherever it does. */
    const fence = async (): Promise<void> => {
      const event = message(0, `fence ${++fences}`);
      emitter.emit(FENCE, event);
      await Promise.all(pods.map((pod) => until('the fence', () => pod.has(event))));
    };

    it('hands an event over once for the room, whatever the number of members', async () => {
      for (const { members } of pods) {
        await members.join('a', [SEA, ANN]);
        await members.join('b', [SEA]);
      }
      const event = message(1, 'once');
      emitter.emit(SEA, event);
      await fence();
      for (const pod of pods) {
        expect(pod.received).toEqual([[SEA, event]]);
        expect([...pod.members.membersOf(SEA)!]).toEqual(['a', 'b']);
      }
    });

    it('hands it over once for each room it was emitted to', async () => {
      for (const { members } of pods) await members.join('a', [ANN, BEN]);
      const event = message(1, 'for both');
      emitter.emit(ANN, event);
      emitter.emit(BEN, event);
      await fence();
      for (const pod of pods) {
        expect(pod.received).toEqual([
          [ANN, event],
          [BEN, event],
        ]);
      }
    });

    it('reaches the pods that have a member, and no other', async () => {
      for (const [i, { members }] of pods.entries()) await members.join('a', [groupRoom(`only ${i}`), SEA]);
      for (const i of pods.keys()) emitter.emit(groupRoom(`only ${i}`), message(i, 'for one pod'));
      emitter.emit(SEA, message(9, 'for all'));
      await fence();
      for (const [i, pod] of pods.entries()) {
        expect(pod.received).toEqual([
          [groupRoom(`only ${i}`), message(i, 'for one pod')],
          [SEA, message(9, 'for all')],
        ]);
      }
    });

    it('hands over nothing of a room without members: never joined, left, or dropped', async () => {
      const { members, received } = pods[0]!;
      await members.join('a', [SEA, ANN]);
      members.leave('a', SEA);
      emitter.emit(SEA, message(1, 'left'));
      members.drop('a');
      emitter.emit(ANN, message(2, 'dropped'));
      emitter.emit(BEN, message(3, 'never joined'));
      await fence();
      expect(received).toEqual([]);
      for (const room of [SEA, ANN, BEN]) expect(members.membersOf(room)).toBeUndefined();
    });

    it('goes on for the members that stay', async () => {
      const { members, received } = pods[0]!;
      for (const id of ['a', 'b', 'c']) await members.join(id, [SEA, ANN]);
      members.leave('a', SEA);
      members.drop('b');
      members.leave('a', BEN);
      members.drop('unknown');
      emitter.emit(SEA, message(1, 'for c'));
      emitter.emit(ANN, message(2, 'for a and c'));
      await fence();
      expect(received).toHaveLength(2);
      expect([...members.membersOf(SEA)!]).toEqual(['c']);
      expect([...members.membersOf(ANN)!]).toEqual(['a', 'c']);
    });

    it('makes a connection a member at once, and certain to receive once the join is over', async () => {
      const { members, received } = pods[0]!;
      const rooms = Array.from({ length: 100 }, (_, i) => groupRoom(`group ${i}`));
      const joined = members.join('a', rooms);
      expect(members.membersOf(rooms[99]!)).toEqual(new Set(['a']));
      await joined;
      for (const [i, room] of rooms.entries()) emitter.emit(room, message(i, 'after the join'));
      await fence();
      expect(received.map(([room]) => room)).toEqual(rooms);
    });

    it('receives after a join that came right after the room was left, however often', async () => {
      const { members, received } = pods[0]!;
      for (let round = 0; round < 30; round++) {
        await members.join('a', [SEA]);
        members.leave('a', SEA);
        if (round % 3 === 0) void members.join('b', [SEA]);
        if (round % 3 === 1) members.drop('b');
      }
      await members.join('a', [SEA]);
      emitter.emit(SEA, message(1, 'at last'));
      await fence();
      expect(received).toEqual([[SEA, message(1, 'at last')]]);
    });

    it('receives nothing after the last of many joins and leaves was a leave', async () => {
      const { members, received } = pods[0]!;
      for (let round = 0; round < 30; round++) {
        void members.join('a', [SEA]);
        members.leave('a', SEA);
      }
      emitter.emit(SEA, message(1, 'too late'));
      await fence();
      expect(received).toEqual([]);
    });

    it('keeps the order of one emitter', async () => {
      for (const { members } of pods) await members.join('a', [SEA, ANN]);
      const sent = Array.from(
        { length: 1000 },
        (_, i) => [i % 3 ? SEA : ANN, message(i, 'x'.repeat(i))] as const,
      );
      for (const [room, event] of sent) emitter.emit(room, event);
      await fence();
      for (const pod of pods) expect(pod.received).toEqual(sent);
    });

    it('carries every event as it is', async () => {
      const { members, received } = pods[0]!;
      await members.join('a', [SEA]);
      const packets: PacketEvent[] = [
        { kind: 'packet', packet: '{}', except: null, to: 'all' },
        { kind: 'packet', packet: '{"content":"\\ud800 \\" \\\\ 群组😀"}', except: '群组', to: 'pushes' },
      ];
      const lengths = [0, 1, 31, 32, 255, 256, 65_535, 65_536, 300_000];
      const texts = ['"a":"\\"\\\\\\n\\u0000"', '"a":"群组😀é"', '{'];
      const bodies = [
        ...lengths.map((length) => 'x'.repeat(length)),
        ...lengths.map((length) => '群'.repeat(length)),
        ...texts,
      ];
      const closes: CloseEvent[] = [{ kind: 'close', sessionId: '群组 "😀"', reason: 'DISPLACED' }];
      const head: HeadEvent = {
        kind: 'head',
        conversation: groupConversation('群组 "😀"'),
        partition: 7,
        head: 1,
        headPosition: Number.MAX_SAFE_INTEGER,
      };
      const sent: RoomEvent[] = [
        head,
        ...packets,
        ...closes,
        ...bodies.map((body, seq) => message(seq, body)),
      ];
      for (const event of sent) emitter.emit(SEA, event);
      await fence();
      expect(received.map(([, event]) => event)).toEqual(sent);
    });

    it('takes rooms of any id for different ones', async () => {
      const { members, received } = pods[0]!;
      const ids = [
        'x',
        'X',
        'x.',
        '#',
        'a#b',
        '{a}',
        '*',
        '?',
        ' ',
        '\u0000',
        '群组😀',
        '__proto__',
        'constructor',
      ];
      for (let length = 1; length < 40; length++) ids.push('y'.repeat(length));
      const rooms = ids.flatMap((id) => [groupRoom(id), userRoom(id)]);
      await members.join('a', rooms);
      for (const room of rooms) emitter.emit(room, message(1, room));
      await fence();
      expect(received).toEqual(rooms.map((room) => [room, message(1, room)]));
    });
  });
}

const SEA = groupRoom('sea');
const ANN = userRoom('ann');
const BEN = userRoom('ben');
const FENCE = groupRoom('fence');

let fences = 0;

class Pod {
  /** What arrived, without fences. */
  readonly received: [RoomName, RoomEvent][] = [];
  readonly all: [RoomName, RoomEvent][] = [];

  constructor(readonly members: RoomMembers) {
    members.onEvent((room, event) => {
      this.all.push([room, event]);
      if (room !== FENCE) this.received.push([room, event]);
    });
  }

  has(fence: MessageEvent): boolean {
    return this.all.some(
      ([room, event]) => room === FENCE && event.kind === 'message' && event.body === fence.body,
    );
  }
}

function message(seq: number, body: string): MessageEvent {
  return {
    kind: 'message',
    conversation: groupConversation('sea'),
    seq,
    messageId: `id-${seq}`,
    sender: 'ann',
    partition: 3,
    position: seq + 100,
    previousPosition: seq + 99,
    membershipVersion: 7,
    body,
  };
}
