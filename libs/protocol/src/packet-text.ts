import { Refusal } from './errors.js';
import { guard, type JsonObject, type PacketLimits } from './json-guard.js';

/**
 * A packet from its JSON text. Numbers that a double cannot hold are kept as they were written: they leave again
 * unchanged through `JSON.stringify`, but are no numbers to JavaScript, so a known field refuses them.
 *
 * Refusals: BAD_JSON, NOT_A_PACKET, TOO_DEEP, FORBIDDEN_KEY, INVALID_FIELD (not finite; or not a double, where
 * the platform cannot keep it).
 */
export function parsePacketText(text: string, limits: PacketLimits): JsonObject {
  const packet = guard(parseJson(text), limits, false);
  if (!PERHAPS_NO_DOUBLE.test(text)) return packet;
  if (!rawJson) throw new Refusal('INVALID_FIELD', 'a number has too many digits');
  // Recursive, but only as deep as the guard allowed.
  return JSON.parse(text, keepAsWritten as (key: string, value: unknown) => unknown) as JsonObject;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // Some engines parse recursively and give up on nesting with an error of their own.
    throw new Refusal(error instanceof SyntaxError ? 'BAD_JSON' : 'TOO_DEEP');
  }
}

/** 16 digits or an exponent where a number may stand; also hits inside strings, which costs time only. */
const PERHAPS_NO_DOUBLE = /[:,[\s-](?:[\d.]{16}|[\d.]{1,15}[eE])/;

const rawJson = (JSON as { rawJSON?: (text: string) => unknown }).rawJSON;

function keepAsWritten(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined) return value;
  return decimal(context.source) === decimal(String(value)) ? value : rawJson?.(context.source);
}

/** The same text for every way of writing the same number: sign, digits without outer zeros, power of ten. */
function decimal(number: string): string {
  const [mantissa = '', exponent = '0'] = number.toLowerCase().split('e');
  const negative = mantissa.startsWith('-');
  const [whole = '', fraction = ''] = mantissa.slice(negative ? 1 : 0).split('.');
  const digits = whole + fraction;
  let from = 0;
  let to = digits.length;
  while (from < to && digits[from] === '0') from++;
  while (from < to && digits[to - 1] === '0') to--;
  if (from === to) return '0';
  const power = Number(exponent) - fraction.length + digits.length - to;
  return `${negative ? '-' : ''}${digits.slice(from, to)}e${power}`;
}
