import {
  accepted,
  type ChatClient,
  type ConnectOptions,
  encodeText,
  expectRefusal,
  frame,
  HEADER_BYTES,
  SERIALIZER_ENCRYPTED,
  TEST_CIPHER,
  TEST_CIPHER_ENV,
  unique,
  useStarling,
} from '@starling/testing';

const SECOND_CIPHER = { keyId: 'second', key: Buffer.alloc(32, 7) };

const starling = useStarling({
  env: { CIPHER_KEYS: `${TEST_CIPHER_ENV.CIPHER_KEYS},second:${SECOND_CIPHER.key.toString('base64')}` },
  cluster: { gatewaysOnly: true },
});

const FORMS: Record<string, ConnectOptions> = {
  object: { form: 'object' },
  'object without acks': { form: 'object', acks: false },
  'object by polling': { form: 'object', transport: 'polling' },
  frame: { form: 'frame' },
  'frame without acks': { form: 'frame', acks: false },
  'frame by polling': { form: 'frame', transport: 'polling' },
  'frame, encrypted': { form: 'frame', cipher: TEST_CIPHER },
  bytes: { form: 'bytes' },
  'bytes, encrypted': { form: 'bytes', cipher: TEST_CIPHER },
  'bytes, encrypted with another key': { form: 'bytes', cipher: SECOND_CIPHER },
};
const NAMES = Object.keys(FORMS);
const PAIRS = NAMES.flatMap((one) => NAMES.map((other) => [one, other] as const));

const TEXT = 'Grüße, 你好, 😀 "quoted" \\ \n';

it.each(PAIRS)('%s and %s chat in private', async (one, other) => {
  const ann = await starling.login(unique('ann'), FORMS[one]);
  const ben = await starling.login(unique('ben'), FORMS[other]);
  const there = accepted(await ann.sendTo(ben.userId, TEXT));
  expect(await ben.waitForMessage(TEXT)).toEqual({ ...there, isItMe: false });
  const back = accepted(await ben.sendTo(ann.userId, `${TEXT} back`));
  expect(await ann.waitForMessage(`${TEXT} back`)).toEqual({ ...back, isItMe: false });
});

it('all share a group', async () => {
  const group = unique('group');
  const members: ChatClient[] = [];
  for (const name of NAMES) {
    const member = await starling.login(unique('member'), FORMS[name]);
    accepted(await member.join(group));
    members.push(member);
  }
  for (const sender of members) {
    const content = `${TEXT} from ${sender.userId}`;
    const answer = accepted(await sender.sendToGroup(group, content));
    for (const member of members) {
      if (member !== sender)
        expect(await member.waitForMessage(content)).toEqual({ ...answer, isItMe: false });
    }
  }
  for (const member of members) expect(member.shown).toHaveLength(NAMES.length - 1);
});

it.each(NAMES)("%s is a user's second device beside every other", async (name) => {
  const ann = unique('ann');
  const devices = await Promise.all(NAMES.map((form) => starling.login(ann, FORMS[form])));
  const sender = devices[NAMES.indexOf(name)]!;
  const answer = accepted(await sender.sendTo(unique('ben'), TEXT));
  for (const device of devices) {
    if (device !== sender) expect(await device.waitForMessage(TEXT)).toEqual(answer);
  }
});

describe('a body that was sealed', () => {
  const login = (userId: string) => JSON.stringify({ version: 1, command: 1, userId });

  it.each([
    [
      'with an unknown key',
      () => encodeText(1, 1, login('eve'), { keyId: 'unknown', key: Buffer.alloc(32) }),
    ],
    [
      'with another key of a known name',
      () => encodeText(1, 1, login('eve'), { ...TEST_CIPHER, key: Buffer.alloc(32) }),
    ],
    [
      'and had its first byte changed',
      () => flipped(encodeText(1, 1, login('eve'), TEST_CIPHER), HEADER_BYTES),
    ],
    ['and had its last byte changed', () => flipped(encodeText(1, 1, login('eve'), TEST_CIPHER), -1)],
    ['and is cut', () => frame(1, SERIALIZER_ENCRYPTED, 1, Buffer.of(2, 0x6b, 0x31, 9, 9))],
    ['and is empty', () => frame(1, SERIALIZER_ENCRYPTED, 1, Buffer.alloc(0))],
  ])('%s is refused, and the connection goes on', async (_, bytes) => {
    const ann = await starling.connectBytes(unique('ann'));
    ann.transmitBytes(bytes());
    expectRefusal(await ann.waitFor('a refusal', ({ success }) => success === false), 'DECRYPTION_FAILED');
    accepted(await ann.login());
    accepted(await ann.sendTo(ann.userId, 'goes on'));
  });

  function flipped(bytes: Buffer, at: number): Buffer {
    const index = (at + bytes.length) % bytes.length;
    bytes[index] = bytes[index]! ^ 1;
    return bytes;
  }
});

describe('without keys', () => {
  const plain = useStarling({ cluster: { gatewaysOnly: true } });

  it('encrypted bodies are refused as of an unknown serializer', async () => {
    const ann = await plain.connectBytes(unique('ann'));
    ann.transmitBytes(encodeText(1, 1, '{"version":1,"command":1,"userId":"ann"}', TEST_CIPHER));
    const answer = await ann.waitFor('a refusal', ({ success }) => success === false);
    expectRefusal(answer, 'UNKNOWN_SERIALIZER', 'DECRYPTION_FAILED');
    accepted(await ann.login());
  });
});
