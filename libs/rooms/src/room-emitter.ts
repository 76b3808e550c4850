import type { RoomEvent } from './room-event.js';
import type { RoomName } from './room-names.js';

/**
 * Sends an event to the gateways that have a member of the room. A hint, not a promise: it may be lost on the
 * way, and receivers repair that from the store. Events of one emitter to one room arrive in order, or not.
 */
export interface RoomEmitter {
  emit(room: RoomName, event: RoomEvent): void;
}

export const ROOM_EMITTER = Symbol('RoomEmitter');
