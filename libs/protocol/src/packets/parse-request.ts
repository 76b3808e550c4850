import type { z } from 'zod';
import { Command, PROTOCOL_VERSION } from '../commands.js';
import { Refusal } from '../errors.js';
import type { JsonObject } from '../json-guard.js';
import type { PacketSchemas, Request } from './packet-schemas.js';

/**
 * Checks a client's packet (which passed the guard) against the schema of its command, and returns it as it is:
 * nothing is added, dropped or converted.
 *
 * Refusals, in this order: NOT_A_PACKET (no version or no command), UNSUPPORTED_VERSION, UNKNOWN_COMMAND,
 * MESSAGE_ID_MISSING or INVALID_FIELD for the first wrong field, which the text names; it never shows a value.
 */
export function parseRequest(packet: JsonObject, schemas: PacketSchemas): Request {
  const { version, command } = packet;
  if (version === undefined || command === undefined) throw new Refusal('NOT_A_PACKET');
  if (version !== PROTOCOL_VERSION) throw new Refusal('UNSUPPORTED_VERSION');
  if (command === Command.Heartbeat) return packet as Request;
  if (typeof command !== 'number' || !Object.hasOwn(schemas.requests, command))
    throw new Refusal('UNKNOWN_COMMAND');
  const schema: z.ZodType = schemas.requests[command as keyof PacketSchemas['requests']];
  const result = schema.safeParse(packet);
  if (!result.success) throw fieldRefusal(packet, result.error.issues[0]);
  return packet as Request;
}

function fieldRefusal(packet: JsonObject, issue: z.core.$ZodIssue | undefined): Refusal {
  const path = issue?.path ?? [];
  if (path[0] === 'hasBeenSentId' && isMissing(packet.hasBeenSentId))
    return new Refusal('MESSAGE_ID_MISSING');
  let field = '';
  for (const step of path) {
    field += typeof step === 'number' ? `[${step}]` : `${field === '' ? '' : '.'}${String(step)}`;
  }
  return new Refusal('INVALID_FIELD', `${field}: ${issue?.message ?? 'is wrong'}`);
}

function isMissing(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}
