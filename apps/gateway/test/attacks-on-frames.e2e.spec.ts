import { once } from 'node:events';
import { accepted, expectRefusal, frame, PacketClient, unique, until } from '@starling/testing';
import { MB, useAttackedStarling } from './attacked-starling.js';
import { PATHS, RawSocket, upgraded, wsFrame } from './raw-socket.js';

/** Each known attack by the frames of an open WebSocket, those within them included. */
const { starling, itLeavesNothingBehind } = useAttackedStarling({ gatewaysOnly: true });

it.each(PATHS)('CVE-2022-21676: a frame with RSV2 and RSV3 set on %s', async (path) => {
  for (const bits of [0x10, 0x20, 0x30, 0x40]) {
    const raw = await upgraded(starling, path);
    raw.write(wsFrame(0x82 | bits, Buffer.from('x')));
    await raw.end();
  }
});

describe('by a Socket.IO packet that no client would send', () => {
  async function socketIo(): Promise<RawSocket> {
    const raw = await upgraded(starling, '/socket.io/?EIO=4&transport=websocket');
    raw.write(wsFrame(0x81, Buffer.from('40')));
    await until('the CONNECT answer', () => raw.received.includes('40{'));
    return raw;
  }

  it.each([
    ['CVE-2022-2421', '451-["packet",{"_placeholder":true,"num":"splice"}]'],
    ['CVE-2022-2421', '451-["packet",{"_placeholder":true,"num":-1}]'],
    ['CVE-2022-2421', '451-["packet",{"_placeholder":true,"num":1.5}]'],
    ['CVE-2022-2421', '451-["packet",{"_placeholder":true,"num":99}]'],
    ['CVE-2022-2421', '451-["packet",{"_placeholder":true,"num":{"toString":"x"}}]'],
    ['CVE-2023-32695', '42[{"toString":"foo"}]'],
    ['CVE-2023-32695', '42["packet",{"toString":"foo","hasOwnProperty":"x"}]'],
    ['CVE-2024-38355', '42["error",{"message":"x"}]'],
    ['CVE-2024-38355', '44{"message":"x"}'],
    ['CVE-2026-33151', '45999999999-["packet",{"_placeholder":true,"num":0}]'],
    ['CVE-2026-33151', '459007199254740993-["packet"]'],
    ['CVE-2026-33151', '45-1-["packet"]'],
    ['reserved event', '42["disconnect","x"]'],
    ['reserved event', '42["newListener","x"]'],
    ['reserved event', '42["__proto__","x"]'],
    ['no event', '42[]'],
    ['no JSON', '42{'],
    ['huge acknowledgement id', `42${'9'.repeat(400)}["packet",{"version":1,"command":17}]`],
    ['unknown type', '49["packet"]'],
    ['unknown namespace', '40/admin,'],
    ['second connect', '40'],
    ['no packet', 'x'],
    ['empty text', ''],
  ])('%s: %s', async (_, text) => {
    const raw = await socketIo();
    raw.write(wsFrame(0x81, Buffer.from(text)));
    raw.write(wsFrame(0x82, Buffer.from('attachment')));
    raw.write(wsFrame(0x88, Buffer.of(0x03, 0xe8)));
    await raw.end();
    expect(raw.received).not.toMatch(/node_modules|\.[jt]s:\d+/);
  });

  it('thousands of attachments announced and never sent', async () => {
    const raw = await socketIo();
    const memory = await starling.residentBytes();
    raw.write(wsFrame(0x81, Buffer.from('451000000-["packet",{"_placeholder":true,"num":0}]')));
    for (let i = 0; i < 2000 && !raw.ended; i++) raw.write(wsFrame(0x82, Buffer.alloc(10_000)));
    await until('the server to be done with it', async () => raw.ended || raw.socket.writableLength === 0);
    raw.socket.destroy();
    expect((await starling.residentBytes()) - memory).toBeLessThan(60 * MB);
  });

  it('thousands of namespaces', async () => {
    const raw = await socketIo();
    for (let i = 0; i < 2000 && !raw.ended; i++) raw.write(wsFrame(0x81, Buffer.from(`40/n${i},`)));
    raw.socket.destroy();
  });
});

it.each([
  ['CVE-2026-48779: a message in thousands of tiny fragments', Buffer.from('x')],
  ['CVE-2026-48779: a message in thousands of empty fragments', Buffer.alloc(0)],
])('%s', async (_, piece) => {
  for (const path of PATHS) {
    const memory = await starling.residentBytes();
    const raw = await upgraded(starling, path);
    raw.write(wsFrame(0x02, piece));
    const fragments = Buffer.concat(Array.from({ length: 1000 }, () => wsFrame(0x00, piece)));
    for (let i = 0; i < 300 && !raw.ended; i++) {
      if (!raw.socket.write(fragments) && !raw.ended)
        await Promise.race([once(raw.socket, 'drain'), once(raw.socket, 'close')]);
    }
    await raw.end();
    expect((await starling.residentBytes()) - memory).toBeLessThan(60 * MB);
  }
});

it('a WebSocket message that announces 2^60 bytes', async () => {
  for (const path of PATHS) {
    const raw = await upgraded(starling, path);
    raw.write(wsFrame(0x82, Buffer.from('x'), 2 ** 60));
    await raw.end();
  }
});

describe('lengths of byte frames (MongoDB CVE-2025-14847 and kin)', () => {
  it.each([0, 1, 25, 27, 1000, 2 ** 24, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1])(
    'a length of %d before a body of 26 bytes gets an error, without what else is in memory',
    async (length) => {
      const ann = await starling.loginBytes(unique('ann'));
      const bytes = frame(1, 1, 17, Buffer.from('{"version":1,"command":17}'));
      bytes.writeUInt32BE(length, 7);
      ann.transmitBytes(bytes);
      const answer = await ann.waitFor('a refusal', ({ success }) => success === false);
      expectRefusal(answer, 'BAD_FRAME');
      expect(JSON.stringify(answer).length).toBeLessThan(300);
      accepted(await ann.sendTo(ann.userId, 'goes on'));
    },
  );
});

it('a flood of pings', async () => {
  const raw = await upgraded(starling, '/ws');
  const pings = Buffer.concat(Array.from({ length: 1000 }, () => wsFrame(0x89, Buffer.alloc(100))));
  raw.socket.pause();
  for (let i = 0; i < 100 && !raw.ended; i++) raw.write(pings);
  await until('the server to be done with it', () => raw.ended || raw.socket.writableLength < 12 * MB);
  raw.socket.destroy();
});

it('an error event of a client reaches nobody (CVE-2024-38355)', async () => {
  const eve = await starling.connect(unique('eve'));
  if (!(eve instanceof PacketClient)) throw new Error('expected a Socket.IO client');
  eve.socket.emit('error', new Error('x'));
  eve.socket.emit('connection', 'x');
  eve.socket.emit('packet');
  eve.socket.emit('packet', () => undefined, 'x');
  await eve.heartbeat();
});

itLeavesNothingBehind();
