import fc from 'fast-check';
import { decodeText, encodeCesu8, encodeUtf8 } from './cesu8.js';

/** Every sequence of UTF-16 code units, unpaired surrogates too. */
const anyUnits = fc
  .array(fc.oneof(fc.nat(0xffff), fc.integer({ min: 0xd800, max: 0xdfff }), fc.constant(0x61)), {
    maxLength: 50,
  })
  .map((units) => String.fromCharCode(...units));

/** The encoder of webim.js in its own words: each code unit by itself. */
function likeTheClient(text: string): number[] {
  return Array.from({ length: text.length }, (_, i) => text.charCodeAt(i)).flatMap((unit) => {
    if (unit < 0x80) return [unit];
    if (unit < 0x800) return [(unit >> 6) | 0xc0, (unit & 0x3f) | 0x80];
    return [(unit >> 12) | 0xe0, ((unit >> 6) & 0x3f) | 0x80, (unit & 0x3f) | 0x80];
  });
}

describe('CESU-8', () => {
  it('is what the client encodes, and comes back', () => {
    fc.assert(
      fc.property(anyUnits, (text) => {
        const bytes = encodeCesu8(text);
        expect([...bytes]).toEqual(likeTheClient(text));
        expect(decodeText(bytes)).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  it('reads UTF-8 and CESU-8 mixed in one text', () => {
    const pieces = fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.boolean()), { maxLength: 8 });
    fc.assert(
      fc.property(pieces, (parts) => {
        const bytes = parts.flatMap(([text, asUtf8]) => [...(asUtf8 ? encodeUtf8(text) : encodeCesu8(text))]);
        expect(decodeText(Uint8Array.from(bytes))).toBe(parts.map(([text]) => text).join(''));
      }),
      { numRuns: 1000 },
    );
  });

  it('copes with long texts of every kind', () => {
    for (const piece of ['a', '\u4f60', '\u{1f600}', '\ud83d', '\udc00x', '\ufffd']) {
      const text = piece.repeat(200_000);
      expect(decodeText(encodeCesu8(text))).toBe(text);
    }
  });

  it('reads from within a larger buffer', () => {
    const bytes = Uint8Array.from([0xff, ...encodeCesu8('\u{1f600}\ud83d'), 0xff]);
    expect(decodeText(bytes.subarray(1, -1))).toBe('\u{1f600}\ud83d');
  });
});
