import { Server } from 'socket.io';
import { LocalRooms } from './local-rooms.js';
import type { RoomEvent } from './room-event.js';
import { groupRoom, userRoom } from './room-names.js';

const event: RoomEvent = { kind: 'packet', packet: '{}', except: null, to: 'all' };

describe('LocalRooms', () => {
  function start() {
    const rooms = new LocalRooms();
    const server = new Server({ adapter: rooms.Adapter });
    server.of('/');
    const received: [string, RoomEvent][] = [];
    rooms.onEvent((room, incoming) => received.push([room, incoming]));
    return { rooms, received };
  }

  it('hands an event over once for the room, whatever the number of members', async () => {
    const { rooms, received } = start();
    await rooms.join('a', [groupRoom('sea'), userRoom('ann')]);
    await rooms.join('b', [groupRoom('sea')]);
    rooms.emit(groupRoom('sea'), event);
    expect(received).toEqual([[groupRoom('sea'), event]]);
    expect([...rooms.membersOf(groupRoom('sea'))!]).toEqual(['a', 'b']);
  });

  it('hands over nothing of a room without members, also after the last one left', async () => {
    const { rooms, received } = start();
    await rooms.join('a', [groupRoom('sea'), userRoom('ann')]);
    rooms.leave('a', groupRoom('sea'));
    rooms.emit(groupRoom('sea'), event);
    rooms.drop('a');
    rooms.emit(userRoom('ann'), event);
    expect(received).toEqual([]);
    expect(rooms.membersOf(userRoom('ann'))).toBeUndefined();
  });

  it('ends an event that comes before the server exists', () => {
    expect(() => new LocalRooms().emit(userRoom('ann'), event)).not.toThrow();
  });
});

describe('room names', () => {
  it('differ by kind and never have the 20 characters of a socket-private room', () => {
    expect(userRoom('x')).not.toBe(groupRoom('x'));
    for (let length = 1; length < 40; length++) expect(userRoom('x'.repeat(length))).not.toHaveLength(20);
  });

  it('stay injective where a name was lengthened', () => {
    const names = new Set<string>();
    for (let length = 1; length < 40; length++) names.add(groupRoom('y'.repeat(length)));
    expect(names.size).toBe(39);
  });
});
