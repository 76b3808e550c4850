import { Refusal } from './errors.js';

/** A packet of which nothing is known yet but that it is harmless: see `guardPacket`. */
export interface JsonObject {
  [key: string]: unknown;
}

export interface PacketLimits {
  /** Deepest nesting; the packet itself is the first level. */
  readonly maxDepth: number;
  /** Most keys and array items, all levels together. */
  readonly maxKeys: number;
}

/**
 * Looks through a value that already is an object (Socket.IO's) and returns it as it is. Afterwards it is plain
 * JSON within the limits, so `JSON.stringify` and recursive code are safe on it. Whole numbers beyond 2^53 are
 * refused here, because they may have been rounded before; as text (`parsePacketText`) they are carried through.
 *
 * Refusals: NOT_A_PACKET, TOO_DEEP, FORBIDDEN_KEY, INVALID_FIELD.
 */
export function guardPacket(value: unknown, limits: PacketLimits): JsonObject {
  return guard(value, limits, true);
}

/** `exact`: numbers came from elsewhere than a text that can still be consulted. */
export function guard(value: unknown, limits: PacketLimits, exact: boolean): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Refusal('NOT_A_PACKET', 'the packet must be a JSON object');
  }
  let room = limits.maxKeys;
  // Level by level instead of recursively: depth costs no stack.
  let level: object[] = [value];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > limits.maxDepth) throw new Refusal('TOO_DEEP');
    const next: object[] = [];
    for (const container of level) {
      if (Array.isArray(container)) {
        room -= container.length;
        if (room < 0) throw new Refusal('TOO_DEEP');
        for (const item of container) checkValue(item, next, exact);
      } else {
        checkIsPlain(container);
        for (const key in container) {
          if (--room < 0) throw new Refusal('TOO_DEEP');
          if (key === '__proto__' || key === 'constructor' || key === 'prototype')
            throw new Refusal('FORBIDDEN_KEY');
          checkValue((container as JsonObject)[key], next, exact);
        }
      }
    }
    level = next;
  }
  return value as JsonObject;
}

function checkValue(value: unknown, containers: object[], exact: boolean): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return;
    case 'number':
      if (!Number.isFinite(value)) throw new Refusal('INVALID_FIELD', 'a number is too large');
      if (exact && Number.isInteger(value) && !Number.isSafeInteger(value)) {
        throw new Refusal('INVALID_FIELD', 'a whole number beyond 2^53 must be sent as a string');
      }
      return;
    case 'object':
      if (value !== null) containers.push(value);
      return;
    default:
      throw new Refusal('INVALID_FIELD', 'a value is not JSON');
  }
}

/** Refuses attachments and other things that no JSON text gives. True of objects of other realms too. */
function checkIsPlain(value: object): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw new Refusal('INVALID_FIELD', 'a value is not JSON');
  }
}
