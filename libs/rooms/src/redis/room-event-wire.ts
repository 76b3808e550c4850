import { CloseReason } from '@starling/protocol';
import { MessageType } from 'socket.io-adapter';
import { ROOM_EVENT } from '../room-adapter.js';
import type { RoomEvent } from '../room-event.js';
import type { RoomName } from '../room-names.js';

/**
 * The wire of Socket.IO's Redis adapters: a broadcast of one packet to one room, as JSON. They also take MessagePack,
 * in which the event's text would not have to be escaped; that was measured to cost more, since the Redis client
 * writes a text with its command at once, and bytes by themselves.
 *
 *     { uid, nsp, type, data: { packet: { type, data: [name, event] }, opts: { rooms: [room], except: [] } } }
 */
const BEFORE_EVENT = `{"uid":"emitter","nsp":"/","type":${MessageType.BROADCAST},"data":{"packet":{"type":2,"data":["${ROOM_EVENT}",`;

/** The part that is the same for each room the event goes to. */
export function encodeEvent(event: RoomEvent): string {
  return `${BEFORE_EVENT}${JSON.stringify(event)}]},"opts":{"except":[],"rooms":[`;
}

/** Names of rooms have no characters that JSON escapes. */
export function encodeBroadcast(room: RoomName, event: string): string {
  return `${event}"${room}"]}}}`;
}

/** Of the packet's data as the adapter decoded it; null when it is nothing that `encodeEvent` writes. */
export function decodeEvent([, event]: readonly unknown[]): RoomEvent | null {
  return isRoomEvent((event ?? {}) as Record<string, unknown>) ? (event as RoomEvent) : null;
}

function isRoomEvent(event: Record<string, unknown>): boolean {
  const { kind, body, head, packet, sessionId, reason } = event;
  switch (kind) {
    case 'message':
      return typeof body === 'string';
    case 'head':
      return typeof head === 'number';
    case 'packet':
      return typeof packet === 'string';
    case 'close':
      return (
        typeof sessionId === 'string' && typeof reason === 'string' && Object.hasOwn(CloseReason, reason)
      );
    default:
      return false;
  }
}
