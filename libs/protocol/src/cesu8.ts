import { Refusal } from './errors.js';

// `ignoreBOM` keeps a byte order mark as a character instead of dropping it.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const utf8Encoder = new TextEncoder();
const SURROGATE = /[\ud800-\udfff]/;
const REPLACEMENT = '\ufffd';

/**
 * Text from UTF-8, from CESU-8 (a character beyond U+FFFF as two 3-byte sequences) or from a mixture. Unpaired
 * surrogates stay what they are. Refuses with BAD_FRAME bytes that are neither: nothing is replaced silently.
 */
export function decodeText(bytes: Uint8Array): string {
  const text = utf8.decode(bytes);
  // The decoder writes U+FFFD for surrogates and for rubbish alike, so its presence asks for a closer look.
  if (!text.includes(REPLACEMENT)) return text;
  const joined = utf8.decode(joinPairs(bytes));
  return joined.includes(REPLACEMENT) ? decodeByUnits(bytes) : joined;
}

/** CESU-8: each UTF-16 code unit by itself, as webim.js reads it. Unpaired surrogates stay what they are. */
export function encodeCesu8(text: string): Uint8Array {
  return SURROGATE.test(text) ? encodeByUnits(text) : utf8Encoder.encode(text);
}

/** UTF-8. Unpaired surrogates, which have no UTF-8, become U+FFFD; JSON text made by `JSON.stringify` has none. */
export function encodeUtf8(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

/** The same text with each surrogate pair as one 4-byte sequence: the platform's decoder does the rest. */
function joinPairs(bytes: Uint8Array): Uint8Array {
  const joined = new Uint8Array(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const high = surrogateAt(bytes, at);
    const low = high >= 0xd800 && high < 0xdc00 ? surrogateAt(bytes, at + 3) : 0;
    if (low >= 0xdc00) {
      const code = 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
      joined[length++] = 0xf0 | (code >> 18);
      joined[length++] = 0x80 | ((code >> 12) & 0x3f);
      joined[length++] = 0x80 | ((code >> 6) & 0x3f);
      joined[length++] = 0x80 | (code & 0x3f);
      at += 5;
    } else {
      joined[length++] = bytes[at]!;
    }
  }
  return joined.subarray(0, length);
}

/** The surrogate that stands at `at` as three bytes; 0 when none does. */
function surrogateAt(bytes: Uint8Array, at: number): number {
  const second = bytes[at + 1]!;
  const third = bytes[at + 2]!;
  if (bytes[at] !== 0xed || (second & 0xe0) !== 0xa0 || (third & 0xc0) !== 0x80) return 0;
  return 0xd000 | ((second & 0x3f) << 6) | (third & 0x3f);
}

/** Bounds the arguments of one call, which stand on the stack. */
const UNITS_AT_ONCE = 4096;

/** For texts with an unpaired surrogate, a real U+FFFD, or malformed bytes. */
function decodeByUnits(bytes: Uint8Array): string {
  let text = '';
  let units: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    const lead = bytes[at]!;
    const length =
      lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    let code = length === 1 ? lead : lead & (0x7f >> length);
    for (let i = 1; i < length; i++) {
      const next = bytes[at + i];
      if (next === undefined || (next & 0xc0) !== 0x80) throw malformed();
      code = (code << 6) | (next & 0x3f);
    }
    if (
      length === 0 ||
      (length === 3 && code < 0x800) ||
      (length === 4 && (code < 0x10000 || code > 0x10ffff))
    ) {
      throw malformed();
    }
    at += length;
    if (code > 0xffff) units.push(0xd7c0 + (code >> 10), 0xdc00 + (code & 0x3ff));
    else units.push(code);
    if (units.length >= UNITS_AT_ONCE) {
      text += String.fromCharCode.apply(null, units);
      units = [];
    }
  }
  return text + String.fromCharCode.apply(null, units);
}

function malformed(): Refusal {
  return new Refusal('BAD_FRAME', 'the body is neither UTF-8 nor CESU-8');
}

function encodeByUnits(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      bytes[length++] = unit;
    } else if (unit < 0x800) {
      bytes[length++] = 0xc0 | (unit >> 6);
      bytes[length++] = 0x80 | (unit & 0x3f);
    } else {
      bytes[length++] = 0xe0 | (unit >> 12);
      bytes[length++] = 0x80 | ((unit >> 6) & 0x3f);
      bytes[length++] = 0x80 | (unit & 0x3f);
    }
  }
  return bytes.subarray(0, length);
}
