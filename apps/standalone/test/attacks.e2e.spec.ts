import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  accepted,
  encodeCesu8,
  expectRefusal,
  frame,
  type Packet,
  PacketClient,
  unique,
  until,
  useStarling,
  withPatience,
} from '@starling/testing';

/** Each known attack against servers of this kind, by raw sockets where no client would do it. */
const MB = 1 << 20;

const starling = useStarling({
  env: { LOGIN_TIMEOUT_MS: '2000', MAX_CONNECTIONS_PER_ADDRESS: '300', SILENCE_TIMEOUT_MS: '5000' },
});

let before: number;
beforeAll(async () => {
  await starling.expectWell();
  before = await starling.residentBytes();
});
afterEach(() => starling.expectWell());

/** A TCP connection that keeps what it is sent. */
class RawSocket {
  received = '';
  ended = false;

  private constructor(readonly socket: Socket) {
    socket.setEncoding('latin1');
    socket.on('data', (text) => (this.received += text.toString()));
    socket.on('close', () => (this.ended = true));
    socket.on('error', () => undefined);
  }

  static async open(): Promise<RawSocket> {
    const socket = connect(starling.port, '127.0.0.1');
    await once(socket, 'connect');
    return new RawSocket(socket);
  }

  write(data: string | Buffer): void {
    if (!this.ended) this.socket.write(data);
  }

  /** Resolves with what was received when there is an answer or the end. */
  answered(): Promise<string> {
    return until('an answer or the end', () =>
      this.ended || this.received.includes('\r\n\r\n') ? this.received : null,
    );
  }

  end(): Promise<true> {
    return until('the server to close the connection', () => (this.ended ? true : null));
  }
}

const UPGRADE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';
const PATHS = ['/ws', '/socket.io/?EIO=4&transport=websocket'];

function request(path: string, headers = '', method = 'GET'): string {
  return `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${starling.port}\r\n${headers}\r\n`;
}

async function upgraded(path: string): Promise<RawSocket> {
  const raw = await RawSocket.open();
  raw.write(request(path, UPGRADE));
  expect(await raw.answered()).toMatch(/^HTTP\/1\.1 101/);
  return raw;
}

/** A WebSocket frame of a client, masked with zeros. */
function wsFrame(firstByte: number, payload: Buffer, length = payload.length): Buffer {
  const header =
    length < 126
      ? Buffer.of(firstByte, 0x80 | length)
      : length < 65_536
        ? Buffer.of(firstByte, 0x80 | 126, length >> 8, length & 0xff)
        : Buffer.concat([Buffer.of(firstByte, 0x80 | 127), bigEndian(length)]);
  return Buffer.concat([header, Buffer.alloc(4), payload]);
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/** A Socket.IO session by polling: its path, after the handshake and the CONNECT packet. */
async function pollingSession(): Promise<string> {
  const handshake = await fetch(`${starling.url}/socket.io/?EIO=4&transport=polling`);
  const { sid } = JSON.parse((await handshake.text()).slice(1));
  const path = `/socket.io/?EIO=4&transport=polling&sid=${sid}`;
  await post(path, '40');
  return path;
}

async function post(path: string, body: string): Promise<number> {
  const response = await fetch(`${starling.url}${path}`, {
    method: 'POST',
    body,
    headers: { 'Content-Type': 'text/plain;charset=UTF-8' },
  });
  expect(await response.text()).not.toMatch(/\n\s+at |node_modules/);
  return response.status;
}

describe('CVE-2020-36048 and 36049: oversized bodies of polling', () => {
  it('a POST of 100 MB is cut off', async () => {
    const path = await pollingSession();
    const memory = await starling.residentBytes();
    const raw = await RawSocket.open();
    const size = 100 * MB;
    raw.write(request(path, `Content-Type: text/plain\r\nContent-Length: ${size}\r\n`, 'POST'));
    const piece = Buffer.alloc(MB, 'x');
    for (let sent = 0; sent < size && !raw.ended; sent += MB) {
      if (!raw.socket.write(piece) && !raw.ended)
        await Promise.race([once(raw.socket, 'drain'), once(raw.socket, 'close')]);
      if (raw.received !== '') break;
    }
    await raw.answered();
    raw.socket.destroy();
    expect((await starling.residentBytes()) - memory).toBeLessThan(60 * MB);
  });

  it('a chunked POST without a length is cut off', async () => {
    const path = await pollingSession();
    const raw = await RawSocket.open();
    raw.write(request(path, 'Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n', 'POST'));
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
    for (let i = 0; i < 200 && !raw.ended && raw.received === ''; i++) {
      if (!raw.socket.write(chunk) && !raw.ended)
        await Promise.race([once(raw.socket, 'drain'), once(raw.socket, 'close')]);
    }
    await raw.answered();
    raw.socket.destroy();
  });

  it('a multi-part payload of thousands of packets is answered or refused', async () => {
    const path = await pollingSession();
    await post(path, Array.from({ length: 20_000 }, () => '4').join('\x1e'));
  });
});

it.each(PATHS)('CVE-2021-32640: a long Sec-WebSocket-Protocol of spaces on %s', async (path) => {
  const begun = Date.now();
  for (const value of [' '.repeat(12_000), `a${' '.repeat(6000)}b`, `a,${' '.repeat(6000)},b`]) {
    const raw = await RawSocket.open();
    raw.write(request(path, `${UPGRADE}Sec-WebSocket-Protocol: ${value}\r\n`));
    await raw.answered();
    raw.socket.destroy();
  }
  expect(Date.now() - begun).toBeLessThan(5000);
});

it.each(PATHS)('CVE-2022-21676: a frame with RSV2 and RSV3 set on %s', async (path) => {
  for (const bits of [0x10, 0x20, 0x30, 0x40]) {
    const raw = await upgraded(path);
    raw.write(wsFrame(0x82 | bits, Buffer.from('x')));
    await raw.end();
  }
});

describe('by a Socket.IO packet that no client would send', () => {
  async function socketIo(): Promise<RawSocket> {
    const raw = await upgraded('/socket.io/?EIO=4&transport=websocket');
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

it.each([...PATHS, '/nowhere', '/socket.io/?EIO=99', '/socket.io/?EIO=4&transport=websocket&sid=none'])(
  'CVE-2022-41940: a bad upgrade of %s, then a reset',
  async (path) => {
    for (const headers of [
      UPGRADE,
      UPGRADE.replace('13', '99'),
      UPGRADE.replace('AAAA', '!!'),
      'Connection: Upgrade\r\nUpgrade: h2c\r\n',
    ]) {
      for (let i = 0; i < 5; i++) {
        const raw = await RawSocket.open();
        raw.write(request(path, headers));
        raw.socket.resetAndDestroy();
      }
    }
  },
);

it.each([
  'transport=__proto__',
  'transport=constructor',
  'transport=toString',
  'EIO=4&transport=polling&sid=__proto__',
  'EIO=4&transport=websocket&sid=constructor',
  'EIO=__proto__&transport=polling',
  'EIO=4&transport[]=polling',
  'EIO=4&transport[$gt]=',
  'EIO=4&transport=polling&sid[$gt]=',
  'EIO=4&transport=polling&sid=%00',
])('CVE-2023-31125: a handshake with the query %s', async (query) => {
  for (const headers of ['', UPGRADE]) {
    const raw = await RawSocket.open();
    raw.write(request(`/socket.io/?${query}`, headers));
    expect(await raw.answered()).toMatch(/^HTTP\/1\.1 [1234]\d\d|^$/);
    expect(raw.received).not.toMatch(/node_modules|\.[jt]s:\d+/);
    raw.socket.destroy();
  }
});

it.each(PATHS)('CVE-2024-37890: more headers than the maximum on an upgrade of %s', async (path) => {
  const raw = await RawSocket.open();
  const many = Array.from({ length: 3000 }, (_, i) => `x${i}:1\r\n`).join('');
  raw.write(request(path, many + UPGRADE));
  await raw.answered();
  raw.socket.destroy();
});

it.each([
  ['CVE-2026-48779: a message in thousands of tiny fragments', Buffer.from('x')],
  ['CVE-2026-48779: a message in thousands of empty fragments', Buffer.alloc(0)],
])('%s', async (_, piece) => {
  for (const path of PATHS) {
    const memory = await starling.residentBytes();
    const raw = await upgraded(path);
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
    const raw = await upgraded(path);
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

const OPERATORS: unknown[] = [
  { $gt: '' },
  { $ne: null },
  { $where: 'sleep(5000)' },
  { $regex: '.*' },
  ['$gt'],
  true,
];

describe.each(OPERATORS.map((value) => [JSON.stringify(value), value] as const))(
  'the operator %s',
  (_, value) => {
    it('is refused in every field that takes an id, a number or a text', async () => {
      const ann = await starling.login(unique('ann'));
      const group = unique('group');
      accepted(await ann.join(group));
      const requests: Packet[] = [
        { version: 1, command: 7, chatId: value, chatType: 1 },
        { version: 1, command: 7, chatId: group, userId: value, chatType: 1 },
        { version: 1, command: 7, chatId: group, chatType: value },
        { version: 1, command: 9, chatId: value, chatType: 1 },
        { version: 1, command: 19, chatType: 1, chatId: value },
        { version: 1, command: 19, chatType: 1, chatId: group, before: value },
        { version: 1, command: 19, chatType: 1, chatId: group, after: value },
        { version: 1, command: 19, chatType: 1, chatId: group, limit: value },
        { version: 1, command: 21, known: value },
        { version: 1, command: 21, known: [{ chatType: 1, chatId: value, seq: 0 }] },
        { version: 1, command: 21, known: [], cursor: value },
        { version: 1, command: 23, chatType: 1, chatId: value, seq: 1 },
        { version: 1, command: 23, chatType: 1, chatId: group, seq: value },
        { version: 1, command: 5, userId: value },
      ];
      for (const packet of requests)
        expectRefusal(await ann.request(packet), 'INVALID_FIELD', 'NOT_THE_BOUND_USER');
      for (const field of [
        'toUserId',
        'fromUserId',
        'userId',
        'content',
        'contentType',
        'chatType',
        'hasBeenSentId',
      ]) {
        const answer = await ann.request({ ...ann.message(group, 1, 'x'), [field]: value });
        expectRefusal(answer, 'INVALID_FIELD', 'NOT_THE_BOUND_USER', 'MESSAGE_ID_MISSING');
      }
      accepted(await ann.sendToGroup(group, 'goes on'));
    });

    it('is refused as the userId of a login', async () => {
      const eve = await starling.connect(unique('eve'), { form: 'bytes' });
      expectRefusal(await eve.login({ userId: value }), 'INVALID_FIELD');
      expectRefusal(await eve.sendTo('ann', 'x'), 'NOT_LOGGED_IN');
    });
  },
);

describe('keys that reach for prototypes', () => {
  it.each(['__proto__', 'constructor', 'prototype'])('%s is refused wherever it stands', async (key) => {
    const ann = await starling.loginBytes(unique('ann'));
    for (const text of [
      `{"version":1,"command":17,"${key}":{"polluted":true}}`,
      `{"version":1,"command":7,"chatId":"g","chatType":1,"${key}":{"polluted":true}}`,
      `{"version":1,"command":21,"known":[{"chatType":1,"chatId":"g","seq":0,"${key}":1}]}`,
      `{"version":1,"command":7,"chatId":"g","chatType":1,"x":[[{"${key}":1}]]}`,
      `{"version":1,"command":7,"chatId":"g","chatType":1,"${key.replace('o', '\\u006f')}":1}`,
    ]) {
      const refused = ann.packets.length;
      const command = (JSON.parse(text) as Packet).command;
      ann.transmitText(1, command, text);
      await until('an answer', () => ann.packets.length > refused);
      const answer = ann.packets[refused]!;
      // A heartbeat's fields are not looked at.
      if (command !== 17) expectRefusal(answer, 'FORBIDDEN_KEY');
    }
    const other = await starling.login(unique('other'));
    const answer = accepted(await other.sendTo(other.userId, 'clean'));
    expect(answer).not.toHaveProperty('polluted');
  });

  it('dotted and dollar keys are carried as they are and mean nothing', async () => {
    const ann = await starling.login(unique('ann'));
    const fields = { 'a.b.c': 1, $set: { seq: 99 }, $where: 'x', 'messages.0.content': 'y' };
    expect(accepted(await ann.sendTo(ann.userId, 'dotted', fields))).toMatchObject({
      seq: 1,
      ...toMatch(fields),
    });
  });

  /** `toMatchObject` takes keys as they are, dots included, when they are own properties. */
  function toMatch(fields: Record<string, unknown>): Record<string, unknown> {
    return { ...fields };
  }
});

describe('deep and wide JSON', () => {
  const heads: [string, string][] = [
    ['nesting of 100,000 lists', `"x":${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['nesting of 100,000 objects', `"x":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['nesting of 10,000 lists', `"x":${'['.repeat(10_000)}${']'.repeat(10_000)}`],
    ['nesting that is never closed', `"x":${'['.repeat(30_000)}`],
    ['a million keys', Array.from({ length: 1_000_000 }, (_, i) => `"k${i}":1`).join(',')],
    ['ten thousand keys', Array.from({ length: 6000 }, (_, i) => `"${i}":1`).join(',')],
    ['the same key ten thousand times', Array.from({ length: 10_000 }, () => '"a":1').join(',')],
    ['a number of 1 MB', `"x":${'9'.repeat(MB)}`],
    ['a number of 60 kB', `"x":${'9'.repeat(60_000)}`],
    ['a number beyond all', '"x":1e999999999'],
    ['a text of 60 kB of escapes', `"x":"${'\\u0000'.repeat(10_000)}"`],
  ];

  it.each(heads)('%s', async (_, fields) => {
    const body = Buffer.from(`{"version":1,"command":7,"chatId":"g","chatType":1,${fields}}`);
    const begun = Date.now();
    const bytes = await starling.loginBytes(unique('ann'));
    bytes.transmitBytes(frame(1, 1, 7, body));
    await Promise.race([bytes.waitForClose(), bytes.waitFor('an answer', ({ command }) => command !== 2)]);
    const raw = await upgraded('/socket.io/?EIO=4&transport=websocket');
    raw.write(wsFrame(0x81, Buffer.from('40')));
    raw.write(wsFrame(0x81, Buffer.concat([Buffer.from('421["packet",'), body, Buffer.from(']')])));
    await until('an answer or the end', () => raw.ended || raw.received.includes('431['));
    raw.socket.destroy();
    expect(raw.received).not.toMatch(/node_modules|\.[jt]s:\d+/);
    expect(Date.now() - begun).toBeLessThan(10_000);
  });
});

describe('half-open connections', () => {
  it('half a request, half an upgrade and half a frame are closed in the end or cost nothing', async () => {
    const halves = await Promise.all([RawSocket.open(), RawSocket.open()]);
    halves[0].write('GET /ws HT');
    halves[1].write(request('/ws', UPGRADE).slice(0, -2));
    const silent = await Promise.all(PATHS.map((path) => upgraded(path)));
    silent[0]!.write(wsFrame(0x82, Buffer.alloc(5), 1000));
    await Promise.all(silent.map((raw) => raw.end()));
    for (const raw of halves) raw.socket.destroy();
  });

  it('a login that is never sent ends the connection on every endpoint', async () => {
    const path = await pollingSession();
    await until('the polling session to end', async () => {
      const response = await fetch(`${starling.url}${path}`);
      return response.status === 400 || (await response.text()).includes('41');
    });
  });
});

describe('floods', () => {
  it('of logins on one connection', async () => {
    const eve = await starling.connectBytes(unique('eve'));
    for (let i = 0; i < 5000 && !eve.closed; i++)
      eve.transmit({ version: 1, command: 1, userId: eve.userId });
    await withPatience(
      Promise.race([eve.waitForClose(), eve.waitFor('an answer', () => true)]),
      'an answer or the end',
    );
  });

  it('of connections of one address', async () => {
    const raws: RawSocket[] = [];
    for (let i = 0; i < 400; i++) {
      const raw = await RawSocket.open();
      raw.write(request('/ws', UPGRADE));
      raws.push(raw);
    }
    await Promise.all(raws.map((raw) => raw.answered()));
    const admitted = raws.filter((raw) => raw.received.startsWith('HTTP/1.1 101') && !raw.ended);
    for (const raw of raws) raw.socket.destroy();
    expect(admitted.length).toBeLessThanOrEqual(300);
    expect(admitted.length).toBeGreaterThan(250);
    await until(
      'the connections to be gone',
      async () => (await starling.metric('starling_connections')) === 0,
    );
  });

  it('of pings', async () => {
    const raw = await upgraded('/ws');
    const pings = Buffer.concat(Array.from({ length: 1000 }, () => wsFrame(0x89, Buffer.alloc(100))));
    raw.socket.pause();
    for (let i = 0; i < 100 && !raw.ended; i++) raw.write(pings);
    await until('the server to be done with it', () => raw.ended || raw.socket.writableLength < 12 * MB);
    raw.socket.destroy();
  });

  it('of groups joined and quit', async () => {
    const eve = await starling.loginBytes(unique('eve'));
    for (let i = 0; i < 500 && !eve.closed; i++) {
      eve.transmit({ version: 1, command: 7, chatId: `g${i % 7}`, userId: eve.userId, chatType: 1 });
      eve.transmit({ version: 1, command: 9, chatId: `g${i % 7}`, userId: eve.userId, chatType: 1 });
    }
    await withPatience(
      Promise.race([eve.waitForClose(), eve.waitFor('an answer', ({ command }) => command === 10)]),
      'an answer',
    );
  });
});

describe('log lines', () => {
  it('cannot be forged by what a client sends', async () => {
    const forged = `\n{"level":30,"msg":"forged by a client"}\n`;
    const ann = await starling.connect(unique('ann'));
    accepted(await ann.login({ userId: forged, device: forged }));
    await ann.sendTo(forged, forged, { fromUserName: forged });
    await ann.join(forged);
    await ann.request({ version: 1, command: 11, [forged]: forged });
    const raw = await RawSocket.open();
    raw.write(
      request(
        `/ws?token=${encodeURIComponent(forged)}`,
        `User-Agent: a\x1b[31m${JSON.stringify(forged)}\r\n`,
      ),
    );
    await raw.answered();
    raw.socket.destroy();
    const eve = await starling.connectBytes(unique('eve'), { urlSuffix: `?x=${encodeURIComponent(forged)}` });
    eve.transmitBytes(frame(1, 1, 1, encodeCesu8(forged)));
    await eve.waitFor('a refusal', ({ success }) => success === false);
    expect(starling.logs.filter(({ msg }) => msg === 'forged by a client')).toEqual([]);
    for (const line of starling.output.split('\n').filter((text) => text !== '')) {
      expect(() => JSON.parse(line)).not.toThrow();
    }
  });
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

it('leaves no connection, no memory and no fatal line behind', async () => {
  await until('connections to be gone', async () => (await starling.metric('starling_connections')) === 0);
  // Node keeps some for its own sake.
  expect((await starling.residentBytes()) - before).toBeLessThan(150 * MB);
  for (const { level } of starling.logs) expect(level).not.toBe('fatal');
});
