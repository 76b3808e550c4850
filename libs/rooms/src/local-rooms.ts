import { Adapter } from 'socket.io-adapter';
import { type AdapterConstructor, ROOM_EVENT, roomAdapter, type RoomEventHandler } from './room-adapter.js';
import type { RoomEmitter } from './room-emitter.js';
import type { RoomEvent } from './room-event.js';
import type { RoomMembers } from './room-members.js';
import type { RoomName } from './room-names.js';

const EVENT_PACKET = 2;

/**
 * Rooms within one process, on Socket.IO's own adapter: emitter and members share it. An event emitted before
 * the Socket.IO server exists, or to a room without members, has no receiver and ends here.
 */
export class LocalRooms implements RoomEmitter, RoomMembers {
  private adapter: Adapter | null = null;
  private handler: RoomEventHandler = () => undefined;

  /** What the Socket.IO server takes as its `adapter`; the root namespace's becomes the rooms. */
  readonly Adapter: AdapterConstructor = roomAdapter({
    create: (namespace) => new Adapter(namespace),
    createOther: (namespace) => new Adapter(namespace),
    attach: (adapter) => (this.adapter = adapter),
    eventOf: (data) => data[1] as RoomEvent,
    handle: (room, event) => this.handler(room, event),
  });

  emit(room: RoomName, event: RoomEvent): void {
    if (!this.adapter?.rooms.has(room)) return;
    this.adapter.broadcast(
      { type: EVENT_PACKET, data: [ROOM_EVENT, event] },
      { rooms: new Set([room]), except: new Set() },
    );
  }

  async join(connectionId: string, rooms: RoomName[]): Promise<void> {
    await this.attached.addAll(connectionId, new Set(rooms));
  }

  leave(connectionId: string, room: RoomName): void {
    void this.attached.del(connectionId, room);
  }

  drop(connectionId: string): void {
    this.attached.delAll(connectionId);
  }

  membersOf(room: RoomName): ReadonlySet<string> | undefined {
    return this.adapter?.rooms.get(room);
  }

  onEvent(handler: RoomEventHandler): void {
    this.handler = handler;
  }

  /** Nothing lies between emitter and members that could be cut. */
  onCut(): void {}

  private get attached(): Adapter {
    if (!this.adapter)
      throw new Error('rooms are used before the Socket.IO server was created with their Adapter');
    return this.adapter;
  }
}
