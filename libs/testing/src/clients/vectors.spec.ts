import { readFileSync } from 'node:fs';
import { openBody } from './body-cipher.js';
import { decodeCesu8, encodeCesu8, frame, unframe } from './byte-frame.js';
import { encodeText } from './packet-frame.js';

/** The codec of the tests was not written from the library; here the two are held against the same vectors. */
function vectors(name: string) {
  return JSON.parse(readFileSync(`libs/protocol/vectors/${name}.json`, 'utf8'));
}

function bytes(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}

describe('frames', () => {
  it.each<{
    name: string;
    frame: string;
    serializer: number;
    command: number;
    text: string;
    direction: string;
  }>(vectors('frames').frames)('$name', (vector) => {
    if (vector.direction !== 'both') return;
    expect(encodeText(1, vector.command, vector.text).toString('hex')).toBe(vector.frame);
    const { version, serializer, command, body } = unframe(bytes(vector.frame));
    expect({ version, serializer, command }).toEqual({ version: 1, serializer: 1, command: vector.command });
    expect(decodeCesu8(body)).toBe(vector.text);
  });

  it.each<{ name: string; frame: string }>(
    vectors('bad-frames').frames.filter(({ error }: { error: string }) => error === 'BAD_FRAME'),
  )('$name is none', (vector) => {
    expect(() => decodeCesu8(unframe(bytes(vector.frame)).body)).toThrow();
  });

  it('the opening frame is as webim.js sends it', () => {
    expect(frame(0, 1, 0, Buffer.from('{}')).toString('hex')).toBe(vectors('bad-frames').opening);
  });
});

describe('CESU-8', () => {
  it.each<{ name: string; text: string; cesu8: string }>(vectors('cesu8').texts)(
    '$name',
    ({ text, cesu8 }) => {
      expect(encodeCesu8(text).toString('hex')).toBe(cesu8);
      expect(decodeCesu8(bytes(cesu8))).toBe(text);
    },
  );
});

describe('sealed bodies', () => {
  interface Sealed {
    name: string;
    keyId: string;
    key: string;
    text: string;
    body: string;
  }
  const { sealed } = vectors('aes-256-gcm') as { sealed: Sealed[] };

  it.each(sealed)('$name', ({ keyId, key, text, body }) => {
    expect(openBody({ keyId, key: bytes(key) }, bytes(body))).toBe(text);
  });

  it.each(sealed)('$name, but changed, does not open', ({ keyId, key, body }) => {
    for (let at = 0; at < body.length / 2; at++) {
      const changed = bytes(body);
      changed[at]! ^= 1;
      expect(() => openBody({ keyId, key: bytes(key) }, changed)).toThrow();
    }
  });
});
