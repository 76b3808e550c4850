import { readFileSync } from 'node:fs';
import { nodeAead } from '../fuzz/decoders.js';
import {
  AesGcmCipher,
  CipherSet,
  Refusal,
  decodeFrame,
  decodePacketFrame,
  decodeText,
  encodeCesu8,
  encodePacketFrame,
  encodeUtf8,
  guardPacket,
  isOpeningFrame,
  messageFields,
  messagePacketText,
  noCipher,
  packetSchemas,
  parsePacketText,
  parseRequest,
  storedBody,
  type PacketLimits,
  type SchemaLimits,
  type SendMessageRequest,
  type StoredAs,
} from './index.js';

/** Vectors whose fields are all texts, but for those that are named beside them. */
type Texts<Fields extends string> = Readonly<Record<Fields, string>>;

interface Vectors {
  readonly frames: {
    frames: (Texts<'name' | 'frame' | 'text' | 'direction'> & { serializer: number; command: number })[];
  };
  readonly 'bad-frames': { opening: string; frames: Texts<'name' | 'frame' | 'error'>[] };
  readonly cesu8: {
    texts: (Texts<'name' | 'text' | 'cesu8'> & { utf8: string | null })[];
    bad: Texts<'name' | 'bytes'>[];
  };
  readonly 'aes-256-gcm': {
    sealed: (Texts<'name' | 'keyId' | 'key' | 'nonce' | 'text' | 'body' | 'frame'> & { command: number })[];
    bad: Texts<'name' | 'frame' | 'error'>[];
  };
  readonly requests: {
    limits: SchemaLimits & PacketLimits;
    good: Texts<'name' | 'text'>[];
    bad: (Texts<'name' | 'text' | 'error'> & { field?: string })[];
  };
  readonly messages: {
    messages: (Texts<'name' | 'request' | 'sender' | 'acknowledgement' | 'delivery'> & {
      storedAs: StoredAs;
    })[];
  };
}

function vectors<Name extends keyof Vectors>(name: Name): Vectors[Name] {
  return JSON.parse(readFileSync(`${__dirname}/../vectors/${name}.json`, 'utf8'));
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'hex'));

function refusalOf(action: () => unknown): Refusal {
  try {
    action();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

const aes = vectors('aes-256-gcm');
const keys = new Map<string, AesGcmCipher>();
for (const { keyId, key } of aes.sealed) keys.set(keyId, new AesGcmCipher(keyId, bytes(key), nodeAead));
const ciphers = new CipherSet([noCipher, ...keys.values()]);

describe('frames.json', () => {
  it.each(vectors('frames').frames)('$name', ({ frame, serializer, command, text, direction }) => {
    const decoded = decodeFrame(bytes(frame));
    expect(decoded).toMatchObject({ version: 1, serializer, command });
    expect(decodePacketFrame(bytes(frame), ciphers)).toEqual({ text, cipher: noCipher });
    if (direction === 'both') expect(hex(encodePacketFrame(text, command, noCipher))).toBe(frame);
  });
});

describe('bad-frames.json', () => {
  const { frames, opening } = vectors('bad-frames');

  it.each(frames)('$name', ({ frame, error }) => {
    expect(refusalOf(() => decodePacketFrame(bytes(frame), ciphers)).error).toBe(error);
  });

  it('leaves out the opening frame, which is ignored', () => {
    expect(isOpeningFrame(decodeFrame(bytes(opening)))).toBe(true);
    expect(decodePacketFrame(bytes(opening), ciphers)).toBeNull();
  });
});

describe('cesu8.json', () => {
  const { texts, bad } = vectors('cesu8');

  it.each(texts)('$name', ({ text, cesu8, utf8 }) => {
    expect(hex(encodeCesu8(text))).toBe(cesu8);
    expect(decodeText(bytes(cesu8))).toBe(text);
    if (utf8 === null) return;
    expect(hex(encodeUtf8(text))).toBe(utf8);
    expect(decodeText(bytes(utf8))).toBe(text);
  });

  it.each(bad)('refuses $name', ({ bytes: malformed }) => {
    expect(refusalOf(() => decodeText(bytes(malformed))).error).toBe('BAD_FRAME');
  });
});

describe('aes-256-gcm.json', () => {
  it.each(aes.sealed)('$name', ({ keyId, key, nonce, command, text, body, frame }) => {
    const cipher = new AesGcmCipher(keyId, bytes(key), nodeAead, () => bytes(nonce));
    expect(hex(cipher.seal(encodeUtf8(text)))).toBe(body);
    expect(hex(encodePacketFrame(text, command, cipher))).toBe(frame);
    expect(decodePacketFrame(bytes(frame), ciphers)).toEqual({ text, cipher: keys.get(keyId) });
  });

  it.each(aes.bad)('refuses $name', ({ frame, error }) => {
    expect(refusalOf(() => decodePacketFrame(bytes(frame), ciphers)).error).toBe(error);
  });
});

describe('requests.json', () => {
  const { limits, good, bad } = vectors('requests');
  const schemas = packetSchemas(limits);
  const read = (text: string) => parseRequest(parsePacketText(text, limits), schemas);

  it.each(good)('$name', ({ text }) => {
    expect(JSON.stringify(read(text))).toBe(text);
  });

  it.each(bad)('refuses $name', ({ text, error, field }) => {
    const refusal = refusalOf(() => read(text));
    expect(refusal.error).toBe(error);
    if (field !== undefined) expect(refusal.message.startsWith(`${field}: `)).toBe(true);
  });

  it('is answered alike when the packet comes as an object', () => {
    for (const { text, error } of bad) {
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        continue;
      }
      expect(refusalOf(() => parseRequest(guardPacket(value, limits), schemas)).error).toBe(error);
    }
  });
});

describe('messages.json', () => {
  const { limits } = vectors('requests');

  it.each(vectors('messages').messages)(
    '$name',
    ({ request, sender, storedAs, acknowledgement, delivery }) => {
      const packet = parsePacketText(request, limits) as SendMessageRequest;
      const body = storedBody(messageFields(packet, sender), storedAs);
      expect(messagePacketText(body, true)).toBe(acknowledgement);
      expect(messagePacketText(body, false)).toBe(delivery);
    },
  );
});
