import { CloseReason, type ErrorName } from '@starling/protocol';
import {
  accepted,
  type ByteClient,
  encodeCesu8,
  expectRefusal,
  fence,
  frame,
  PacketClient,
  unique,
  useStarling,
} from '@starling/testing';

const starling = useStarling({
  env: { MAX_BROKEN_FRAMES: '5', MAX_PACKET_BYTES: '2048' },
  cluster: { gatewaysOnly: true },
});

const HEARTBEAT = Buffer.from('{"version":1,"command":17}');

function withLength(length: number): Buffer {
  const bytes = frame(1, 1, 17, HEARTBEAT);
  bytes.writeUInt32BE(length, 7);
  return bytes;
}

function withMagic(magic: number): Buffer {
  const bytes = frame(1, 1, 17, HEARTBEAT);
  bytes.writeUInt32BE(magic, 0);
  return bytes;
}

const whole = frame(1, 1, 17, HEARTBEAT);

const BROKEN: [string, Buffer, ErrorName[]][] = [
  ['an empty message', Buffer.alloc(0), ['BAD_FRAME']],
  ['less than a header', whole.subarray(0, 10), ['BAD_FRAME']],
  ['another magic', withMagic(0x12345679), ['BAD_FRAME']],
  ['a magic of the other byte order', withMagic(0x78563412), ['BAD_FRAME']],
  ['a length that is too short', withLength(5), ['BAD_FRAME']],
  ['a length of zero before a body', withLength(0), ['BAD_FRAME']],
  ['a length beyond the message', withLength(HEARTBEAT.length + 1), ['BAD_FRAME']],
  ['a length of 2^31', withLength(2 ** 31), ['BAD_FRAME']],
  ['a length of 2^32 - 1', withLength(2 ** 32 - 1), ['BAD_FRAME']],
  ['two frames in one message', Buffer.concat([whole, whole]), ['BAD_FRAME']],
  ['the first half of a frame', whole.subarray(0, 20), ['BAD_FRAME']],
  ['serializer 0', frame(1, 0, 17, HEARTBEAT), ['UNKNOWN_SERIALIZER']],
  ['serializer 200', frame(1, 200, 17, HEARTBEAT), ['UNKNOWN_SERIALIZER']],
  ['no body', frame(1, 1, 17, Buffer.alloc(0)), ['BAD_JSON']],
  ['a body that is no JSON', frame(1, 1, 17, Buffer.from('{"version":1,')), ['BAD_JSON']],
  ['a body of text', frame(1, 1, 17, Buffer.from('"text"')), ['NOT_A_PACKET']],
  ['a body that is null', frame(1, 1, 17, Buffer.from('null')), ['NOT_A_PACKET']],
  ['a body that is a list', frame(1, 1, 17, Buffer.from('[{"version":1,"command":17}]')), ['NOT_A_PACKET']],
  [
    'a body without a command',
    frame(1, 1, 17, Buffer.from('{"version":1}')),
    ['NOT_A_PACKET', 'INVALID_FIELD'],
  ],
  [
    'a body whose command is text',
    frame(1, 1, 17, Buffer.from('{"version":1,"command":"17"}')),
    ['NOT_A_PACKET', 'INVALID_FIELD', 'UNKNOWN_COMMAND'],
  ],
  [
    'more than the size limit',
    frame(1, 1, 17, Buffer.from(`{"a":"${'x'.repeat(2100)}"}`)),
    ['PACKET_TOO_LARGE'],
  ],
];

it.each(BROKEN)('%s gets an error, and the connection goes on', async (_, bytes, names) => {
  const ann = await starling.loginBytes(unique('ann'));
  ann.transmitBytes(bytes);
  expectRefusal(await ann.waitFor('a refusal', ({ success }) => success === false), ...names);
  accepted(await ann.sendTo(ann.userId, 'goes on'));
});

it.each(BROKEN)(
  '%s in a Socket.IO packet gets an error, and the connection goes on',
  async (_, bytes, names) => {
    const ann = await starling.login(unique('ann'), { form: 'frame' });
    if (!(ann instanceof PacketClient)) throw new Error('expected a Socket.IO client');
    const answer = await ann.sendArgument(bytes);
    expectRefusal(answer, ...names);
    accepted(await ann.sendTo(ann.userId, 'goes on'));
  },
);

it.each([
  ['null', null],
  ['text', '{"version":1,"command":17}'],
  ['a number', 17],
  ['a list', [{ version: 1, command: 17 }]],
  ['nothing', undefined],
  ['an object without version and command', {}],
  ['an object with a toString', { toString: 'foo' }],
])('a Socket.IO packet that is %s gets an error, and the connection goes on', async (_, argument) => {
  const ann = await starling.login(unique('ann'));
  if (!(ann instanceof PacketClient)) throw new Error('expected a Socket.IO client');
  expectRefusal(await ann.sendArgument(argument), 'NOT_A_PACKET', 'INVALID_FIELD');
  accepted(await ann.sendTo(ann.userId, 'goes on'));
});

describe.each(['object', 'frame', 'bytes'] as const)('an unknown command (%s)', (form) => {
  // What is no request, being even or beyond a signed byte, has no answer's number of its own.
  it.each([
    [11, 12],
    [25, 26],
    [-3, -4],
    [100, 0],
    [125, 126],
    [-128, 0],
    [1001, 0],
  ])('%d is refused with command %d', async (command, answer) => {
    const ann = await starling.login(unique('ann'), { form });
    ann.transmit({ version: 1, command: command > 127 && form !== 'object' ? 100 : command });
    const refusal = await ann.waitFor('a refusal', ({ success }) => success === false);
    expectRefusal(refusal, 'UNKNOWN_COMMAND');
    expect(refusal.command).toBe(answer);
    accepted(await ann.sendTo(ann.userId, 'goes on'));
  });
});

it('another version of the protocol gets its own error', async () => {
  const ann = await starling.login(unique('ann'));
  expectRefusal(
    await ann.request({ version: 2, command: 7, chatId: 'x', chatType: 1 }),
    'UNSUPPORTED_VERSION',
  );
});

it('a text message instead of a binary one hurts nobody', async () => {
  const ann = await starling.loginBytes(unique('ann'));
  ann.socket.send('{"version":1,"command":17}');
  const refusal = await ann.waitFor('a refusal', ({ success }) => success === false);
  expectRefusal(refusal, 'BAD_FRAME');
  accepted(await ann.sendTo(ann.userId, 'goes on'));
});

it('a frame in several WebSocket fragments is one frame', async () => {
  const ann = await starling.loginBytes(unique('ann'));
  const packet = ann.message(ann.userId, 0, 'in pieces');
  const bytes = frame(1, 1, 3, encodeCesu8(JSON.stringify(packet)));
  for (let at = 0; at < bytes.length; at += 50) {
    ann.socket.send(bytes.subarray(at, at + 50), { binary: true, fin: at + 50 >= bytes.length });
  }
  accepted(await ann.waitFor('the answer', ({ content }) => content === 'in pieces'));
});

describe('several of them', () => {
  async function expectClosed(client: ByteClient): Promise<void> {
    for (let i = 0; i < 6; i++) client.transmitBytes(withMagic(i));
    expect(await client.waitForClose()).toMatchObject({ code: CloseReason.BROKEN_FRAMES.code });
  }

  it('close the connection, and nobody else notices', async () => {
    const [ann, ben] = [await starling.loginBytes(unique('ann')), await starling.login(unique('ben'))];
    const eve = await starling.loginBytes(unique('eve'));
    await expectClosed(eve);
    await fence(ann, ben);
    expect(ann.closed).toBeNull();
    expect(ben.closed).toBeNull();
  });

  it('close a connection that has not logged in', async () => {
    await expectClosed(await starling.connectBytes(unique('eve')));
  });

  it('close a Socket.IO connection too', async () => {
    const eve = await starling.login(unique('eve'), { form: 'frame' });
    if (!(eve instanceof PacketClient)) throw new Error('expected a Socket.IO client');
    for (let i = 0; i < 6; i++) eve.socket.emit('packet', withMagic(i));
    await eve.waitForClose();
  });

  it('are told apart from refusals, of which there may be many', async () => {
    const ann = await starling.loginBytes(unique('ann'));
    for (let i = 0; i < 20; i++) expectRefusal(await ann.sendToGroup(unique('nowhere'), 'x'), 'NOT_A_MEMBER');
    accepted(await ann.sendTo(ann.userId, 'goes on'));
  });
});
