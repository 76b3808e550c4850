import { Command, PROTOCOL_VERSION } from './commands.js';
import type { JsonObject } from './json-guard.js';
import type { SendMessageRequest } from './packets/packet-schemas.js';

/** What the store gave a message. */
export interface StoredAs {
  readonly messageId: string;
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly serverTime: number;
}

/**
 * The packet's fields as one JSON text without braces, `"key":value,…`: never empty, without what the server
 * sets itself. `fromUserId` and `userId` are `sender`, the bound user, whatever the packet says.
 */
export function messageFields(packet: SendMessageRequest, sender: string): string {
  return fieldsWithoutBraces(packet, { fromUserId: sender, userId: sender });
}

/** The body of a stored message (`StoredMessage.body`): its fields and what the store gave it, without braces. */
export function storedBody(fields: string, { messageId, seq, serverTime }: StoredAs): string {
  return `${fields},"success":true,"messageId":${JSON.stringify(messageId)},"seq":${seq},"serverTime":${serverTime}`;
}

/** Command 4 as JSON text, around a body of `storedBody`. */
export function messagePacketText(body: string, isItMe: boolean): string {
  return `{"version":${PROTOCOL_VERSION},"command":${Command.Message},"isItMe":${isItMe},${body}}`;
}

/** The answer to a message with empty content, around `messageFields`: a success that was not stored. */
export function unstoredAnswerText(fields: string): string {
  return messagePacketText(`${fields},"success":true`, true);
}

/** What a request may say but the server decides, and the two that stand at the front of every packet. */
const SET_BY_SERVER = new Set([
  'version',
  'command',
  'isItMe',
  'success',
  'messageId',
  'seq',
  'serverTime',
  'errorMsg',
  'errorCode',
]);

/** `overrides` must not be empty. Keys of `packet` keep their order. */
export function fieldsWithoutBraces(packet: JsonObject, overrides: JsonObject): string {
  const fields: JsonObject = {};
  for (const key in packet) {
    if (!SET_BY_SERVER.has(key)) fields[key] = packet[key];
  }
  return JSON.stringify(Object.assign(fields, overrides)).slice(1, -1);
}
