import type { RoomEvent } from './room-event.js';
import type { RoomName } from './room-names.js';

/**
 * The gateway's side of rooms: which of its connections are in which room, and the events of those rooms.
 * An event reaches `onEvent` once for each room it was emitted to that has a local member.
 */
export interface RoomMembers {
  /**
   * The connection is a member at once; resolves when this pod is certain to receive the rooms' events, or, while
   * their carrier is away, after a second: then `onCut` follows when it is certain. Never rejects.
   */
  join(connectionId: string, rooms: RoomName[]): Promise<void>;
  leave(connectionId: string, room: RoomName): void;
  /** Out of all rooms. */
  drop(connectionId: string): void;
  /** Ids of local connections; undefined when there are none. */
  membersOf(room: RoomName): ReadonlySet<string> | undefined;
  /** One handler, set once at start. */
  onEvent(handler: (room: RoomName, event: RoomEvent) => void): void;
  /** One handler, set once at start: events may have been lost until now, and rooms receive theirs again. */
  onCut(handler: () => void): void;
}

export const ROOM_MEMBERS = Symbol('RoomMembers');

/** What the gateway's Socket.IO server takes as its `adapter`; the root namespace's becomes the rooms. */
export const SOCKET_IO_ADAPTER = Symbol('SocketIoAdapter');
