import { groupConversation, privateConversation } from '@starling/protocol';
import { Server } from 'socket.io';
import { LocalRooms } from './local-rooms.js';
import { groupRoom, roomsOf, userRoom } from './room-names.js';
import { roomsContract } from './rooms.contract.js';

roomsContract('within one process', async () => {
  const rooms = new LocalRooms();
  new Server({ adapter: rooms.Adapter }).of('/');
  return { emitter: rooms, pods: [rooms], stop: async () => {} };
});

describe('LocalRooms', () => {
  it('ends an event that comes before the server exists', () => {
    const event = { kind: 'packet', packet: '{}', except: null, to: 'all' } as const;
    expect(() => new LocalRooms().emit(userRoom('ann'), event)).not.toThrow();
  });
});

describe('room names', () => {
  it('differ by kind and never have the 20 characters of a socket-private room', () => {
    expect(userRoom('x')).not.toBe(groupRoom('x'));
    for (let length = 1; length < 40; length++) expect(userRoom('x'.repeat(length))).not.toHaveLength(20);
  });

  it('are those of the users or the group of a conversation, whatever its ids', () => {
    for (const id of ['x', 'é', '🐦', 'a.b', '']) {
      expect(roomsOf(groupConversation(id))).toEqual([groupRoom(id)]);
      expect(roomsOf(privateConversation(id, 'b'))).toHaveLength(2);
      expect(new Set(roomsOf(privateConversation(id, 'b')))).toEqual(new Set([userRoom(id), userRoom('b')]));
      expect(roomsOf(privateConversation(id, id))).toEqual([userRoom(id)]);
    }
  });

  it('stay injective where a name was lengthened', () => {
    const names = new Set<string>();
    for (let length = 1; length < 40; length++) names.add(groupRoom('y'.repeat(length)));
    expect(names.size).toBe(39);
  });
});
