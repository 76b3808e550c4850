import { MessageType } from 'socket.io-adapter';
import { ROOM_EVENT } from '../room-adapter.js';
import type { RoomEvent } from '../room-event.js';
import type { RoomName } from '../room-names.js';

/**
 * The wire of Socket.IO's Redis adapters, which take MessagePack as well as JSON: a broadcast of one packet to one
 * room. Written by hand because in MessagePack the event's long text stands as it is, where JSON would escape what is
 * JSON already, and because an event for two rooms is then encoded once.
 *
 *     { uid, nsp, type, data: { opts: { rooms: [room], except: [] }, packet: { type, data: [name, head, text] } } }
 *
 * `text` is the event's body or packet, `head` its other fields as JSON. Both are well-formed Unicode, because
 * JSON.stringify escapes unpaired surrogates.
 */
const BEFORE_ROOM = Buffer.concat([
  map(4),
  ...[string('uid'), string('emitter')],
  ...[string('nsp'), string('/')],
  ...[string('type'), number(MessageType.BROADCAST)],
  ...[string('data'), map(2)],
  ...[string('opts'), map(2)],
  ...[string('except'), list(0)],
  ...[string('rooms'), list(1)],
]);

const EVENT_PACKET = 2;

const BEFORE_EVENT = Buffer.concat([
  ...[string('packet'), map(2)],
  ...[string('type'), number(EVENT_PACKET)],
  ...[string('data'), list(3)],
  string(ROOM_EVENT),
]);

/** The part that is the same for each room the event goes to. */
export function encodeEvent(event: RoomEvent): Buffer {
  if (event.kind === 'message') {
    const { body, ...head } = event;
    return Buffer.concat([BEFORE_EVENT, string(JSON.stringify(head)), string(body)]);
  }
  const { packet, ...head } = event;
  return Buffer.concat([BEFORE_EVENT, string(JSON.stringify(head)), string(packet)]);
}

export function encodeBroadcast(room: RoomName, event: Buffer): Buffer {
  return Buffer.concat([BEFORE_ROOM, string(room), event]);
}

/** Of the packet's data as the adapter decoded it; null when it is not what `encodeEvent` wrote. */
export function decodeEvent([, head, text]: readonly unknown[]): RoomEvent | null {
  if (typeof head !== 'string' || typeof text !== 'string') return null;
  const event = JSON.parse(head) as { kind: string; body?: string; packet?: string };
  if (event.kind === 'message') event.body = text;
  else if (event.kind === 'packet') event.packet = text;
  else return null;
  return event as RoomEvent;
}

function string(value: string): Buffer {
  const length = Buffer.byteLength(value);
  const start = length < 0x20 ? 1 : length < 0x100 ? 2 : length < 0x10000 ? 3 : 5;
  const bytes = Buffer.allocUnsafe(start + length);
  if (start === 1) bytes[0] = 0xa0 | length;
  else if (start === 2) bytes.writeUInt16BE(0xd900 | length);
  else if (start === 3) bytes.writeUIntBE(0xda0000 + length, 0, 3);
  else {
    bytes[0] = 0xdb;
    bytes.writeUInt32BE(length, 1);
  }
  bytes.write(value, start);
  return bytes;
}

/** Up to 127. */
function number(value: number): Buffer {
  return Buffer.of(value);
}

/** Of up to 15 entries. */
function map(entries: number): Buffer {
  return Buffer.of(0x80 | entries);
}

/** Of up to 15 items. */
function list(items: number): Buffer {
  return Buffer.of(0x90 | items);
}
