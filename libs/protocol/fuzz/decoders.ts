import fc from 'fast-check';
import { createCipheriv, createDecipheriv } from 'node:crypto';
import {
  AesGcmCipher,
  CipherSet,
  Refusal,
  decodeFrame,
  decodePacketFrame,
  decodeText,
  encodeCesu8,
  encodeFrame,
  encodePacketFrame,
  guardPacket,
  messageFields,
  messagePacketText,
  noCipher,
  packetSchemas,
  parsePacketText,
  parseRequest,
  refusalAnswer,
  storedBody,
  type Aead,
  type JsonObject,
  type SendMessageRequest,
} from '../src/index.js';

/** One way by which bytes, text or values of strangers come in. */
export interface Decoder<Input = unknown> {
  readonly name: string;
  readonly input: fc.Arbitrary<Input>;
  /** Throws on whatever is wrong, apart from a `Refusal`, which every decoder may answer with. */
  check(input: Input): void;
}

export const nodeAead: Aead = {
  seal(key, nonce, plain, authenticated) {
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(authenticated);
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  },
  open(key, nonce, sealed, authenticated) {
    const tag = sealed.length - 16;
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 });
    decipher.setAAD(authenticated).setAuthTag(sealed.subarray(tag));
    return Buffer.concat([decipher.update(sealed.subarray(0, tag)), decipher.final()]);
  },
};

const limits = { maxDepth: 8, maxKeys: 60 };
const schemas = packetSchemas({ maxIdLength: 16 });
const aes = new AesGcmCipher('k1', new Uint8Array(32).fill(7), nodeAead);
const ciphers = new CipherSet([noCipher, aes]);

/** Runs one input; true when it was accepted, false when it was refused with a documented error. */
export function survives<Input>(decoder: Decoder<Input>, input: Input): boolean {
  try {
    decoder.check(input);
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

function must(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** Some valid bytes with a few of them changed, cut off or repeated. */
function damaged(valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const place = fc.nat(400);
  const damage = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), at: place, value: fc.nat(255) }),
    fc.record({ kind: fc.constant('cut' as const), at: place, value: fc.constant(0) }),
    fc.record({ kind: fc.constant('append' as const), at: place, value: fc.nat(255) }),
    fc.record({ kind: fc.constant('twice' as const), at: place, value: fc.constant(0) }),
  );
  return fc.tuple(valid, fc.array(damage, { maxLength: 3 })).map(([original, damages]) => {
    let bytes = [...original];
    for (const { kind, at, value } of damages) {
      const index = bytes.length === 0 ? 0 : at % bytes.length;
      if (kind === 'set' && bytes.length > 0) bytes[index] = value;
      if (kind === 'cut') bytes = bytes.slice(0, index);
      if (kind === 'append') bytes.push(value);
      if (kind === 'twice') bytes = [...bytes, ...bytes];
    }
    return Uint8Array.from(bytes);
  });
}

/** Sequences that a decoder of UTF-8 or CESU-8 gets wrong, between harmless ones. */
const textBytes = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        [0x61],
        [0xc3, 0xa9],
        [0xe4, 0xbd, 0xa0],
        [0xf0, 0x9f, 0x98, 0x80],
        [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
        [0xed, 0xa0, 0xbd],
        [0xed, 0xb8, 0x80],
        [0xef, 0xbf, 0xbd],
        [0xef, 0xbb, 0xbf],
        [0xed, 0xa0],
        [0xed],
        [0xc0, 0x80],
        [0xf4, 0x90, 0x80, 0x80],
      ),
      fc.array(fc.nat(255), { maxLength: 4 }),
    ),
    { maxLength: 30 },
  )
  .map((pieces) => Uint8Array.from(pieces.flat()));

const KNOWN_FIELDS = [
  'version',
  'command',
  'userId',
  'push',
  'device',
  'contentType',
  'content',
  'createTime',
  'hasBeenSentId',
  'fromUserId',
  'fromUserName',
  'toUserId',
  'chatType',
  'chatId',
  'code',
  'eventValue',
  'eventObj',
  'before',
  'after',
  'limit',
  'known',
  'cursor',
  'seq',
  'isItMe',
  'success',
  'errorCode',
  'toString',
  'toJSON',
  '$where',
  'a.b',
  '__proto__',
  'constructor',
];

const COMMANDS = [1, 3, 5, 7, 9, 17, 19, 21, 23, -9, 0, 2, 4, 99, -128, 1.5, '3', null];
const fieldValue = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('alice', 'bob', 'hello', '', '\ud83d', 'x'.repeat(17)) },
  { weight: 4, arbitrary: fc.constantFrom(0, 1, 2, -1, 0.5, 7, 1e300, 2 ** 53, 1700000000000) },
  { weight: 2, arbitrary: fc.constantFrom(null, true, false) },
  { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
);

const VALID_REQUESTS: JsonObject[] = [
  { version: 1, command: 1, userId: 'alice' },
  {
    version: 1,
    command: 3,
    contentType: 0,
    content: 'hi \u{1f600}',
    hasBeenSentId: 5,
    toUserId: 'bob',
    chatType: 0,
    fromUserName: null,
  },
  { version: 1, command: 7, chatId: 'team', chatType: 1 },
  { version: 1, command: -9, code: 1, eventValue: 'team', eventObj: 1 },
  { version: 1, command: 17 },
  { version: 1, command: 19, chatId: 'team', chatType: 1, before: 9 },
  { version: 1, command: 21, known: [{ chatType: 1, chatId: 'team', seq: 1 }] },
  { version: 1, command: 23, chatId: 'team', chatType: 1, seq: 4 },
];

/** Packets that are right but for a few fields. */
const packet: fc.Arbitrary<JsonObject> = fc
  .tuple(
    fc.constantFrom(...VALID_REQUESTS),
    fc.dictionary(fc.constantFrom(...KNOWN_FIELDS), fieldValue, { maxKeys: 3 }),
    fc.option(fc.constantFrom(...COMMANDS), { nil: undefined, freq: 4 }),
  )
  .map(([valid, changes, command]) => ({
    ...valid,
    ...changes,
    ...(command === undefined ? {} : { command }),
  }));

const numberText = fc.oneof(
  fc.stringMatching(/^-?(0|[1-9]\d{0,25})(\.\d{1,25})?([eE][+-]?\d{1,4})?$/),
  fc.constantFrom(
    '12345678901234567890',
    '-0',
    '1e999',
    '1e-999',
    '0.1',
    '9007199254740993',
    '1E5',
    '00',
    '1.',
  ),
);

/** JSON text with hard numbers, nesting, and now and then a character too few or too many. */
const packetText = fc
  .tuple(
    packet,
    numberText,
    fc.nat(12),
    fc.option(fc.tuple(fc.nat(300), fc.string({ maxLength: 3 })), { freq: 3 }),
  )
  .map(([value, number, depth, damage]) => {
    const nested = '['.repeat(depth) + number + ']'.repeat(depth);
    const text = `${JSON.stringify(value).slice(0, -1)},"n":${nested}}`;
    if (!damage) return text;
    const at = damage[0] % text.length;
    return text.slice(0, at) + damage[1] + text.slice(at + 1);
  });

const anyText = fc.oneof(fc.string({ unit: 'binary' }), fc.json(), packetText);

function checkPacket(value: JsonObject): void {
  const sender = 'alice';
  try {
    const request = parseRequest(value, schemas);
    if (request.command === 3) checkMessage(request, sender);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    for (const user of [sender, null]) {
      const answer = JSON.parse(refusalAnswer(error, value, user)) as JsonObject;
      must(
        answer.success === false && answer.errorCode === error.code && answer.version === 1,
        'a wrong answer',
      );
      must(
        answer.command !== 4 || answer.fromUserId === user || answer.content === '',
        'a refusal would be shown',
      );
    }
    throw error;
  }
}

function checkMessage(request: SendMessageRequest, sender: string): void {
  const body = storedBody(messageFields(request, sender), { messageId: 'm"1', seq: 3, serverTime: 4 });
  for (const isItMe of [true, false]) {
    const message = JSON.parse(messagePacketText(body, isItMe)) as JsonObject;
    const { command, success, seq, fromUserId, userId, content } = message;
    must(command === 4 && message.isItMe === isItMe && success === true && seq === 3, 'a wrong message');
    must(fromUserId === sender && userId === sender && content === request.content, 'a wrong message');
  }
}

function decoder<Input>(
  name: string,
  input: fc.Arbitrary<Input>,
  check: (input: Input) => void,
): Decoder<Input> {
  return { name, input, check };
}

const plainFrame = anyText.map((text) => encodePacketFrame(text, 3, noCipher));
const sealedFrame = packet.map((value) => encodePacketFrame(JSON.stringify(value), 3, aes));

/** Every decoder of the protocol. */
export const DECODERS = [
  decoder('frame', fc.oneof(fc.uint8Array({ maxLength: 64 }), damaged(plainFrame)), (bytes) => {
    const { version, command, serializer, body } = decodeFrame(bytes);
    must(body.length === bytes.length - 11, 'a body of another length');
    if (version !== 1) return;
    must(Buffer.compare(encodeFrame(command, serializer, body), bytes) === 0, 'another frame than was read');
  }),
  decoder('text', fc.oneof(textBytes, fc.uint8Array({ maxLength: 40 })), (bytes) => {
    const text = decodeText(bytes);
    must(decodeText(encodeCesu8(text)) === text, 'CESU-8 does not come back');
    const { length } = encodeCesu8(text);
    must(length >= bytes.length && length <= text.length * 3, 'CESU-8 of a wrong length');
  }),
  decoder('cipher', damaged(sealedFrame), (bytes) => {
    const framed = decodePacketFrame(bytes, ciphers);
    // What was damaged and still opens can only be a header's command, which is not authenticated.
    if (framed?.cipher === aes)
      must(parsePacketText(framed.text, limits).version !== undefined, 'opened rubbish');
  }),
  decoder('packet text', anyText, (text) => {
    const value = parsePacketText(text, limits);
    must(typeof JSON.stringify(value) === 'string', 'a packet that cannot be written');
    checkPacket(value);
  }),
  decoder(
    'value',
    fc.oneof(packet, fc.anything({ withBigInt: true, withTypedArray: true, withDate: true })),
    (value) => {
      checkPacket(guardPacket(value, limits));
    },
  ),
  decoder('framed packet', damaged(fc.oneof(plainFrame, sealedFrame)), (bytes) => {
    const framed = decodePacketFrame(bytes, ciphers);
    if (framed) checkPacket(parsePacketText(framed.text, limits));
  }),
] as const;
