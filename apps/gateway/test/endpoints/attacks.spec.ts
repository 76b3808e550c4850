import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { ByteClient, frame, PacketClient, until, withPatience } from '@starling/testing';
import { serveEndpoints, type ServedEndpoints } from './serve-endpoints.js';

let served: ServedEndpoints;

beforeAll(async () => {
  served = await serveEndpoints({
    LOGIN_TIMEOUT_MS: '2500',
    SILENCE_TIMEOUT_MS: '2000',
    MAX_PACKET_BYTES: '8192',
    MAX_JSON_KEYS: '200',
  });
});

afterEach(async () => {
  // Whatever was done to the endpoints, both still serve, and nothing of it stays.
  const bytes = await ByteClient.connect(served.bytesUrl, 'ann');
  const packets = await PacketClient.connect(served.url, 'ben');
  expect((await bytes.login()).command).toBe(2);
  expect((await packets.login()).command).toBe(2);
  await Promise.all([bytes.close(), packets.close()]);
  await until('every connection to be gone', () => served.connections.size === 0);
});

afterAll(() => served.app.close());

const HANDSHAKE = [
  'Host: 127.0.0.1',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==',
];

const PATHS = ['/ws', '/socket.io/?EIO=4&transport=websocket'];

async function raw(...lines: string[]): Promise<Socket> {
  const socket = connect(served.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  if (lines.length > 0) socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  return socket;
}

/** Everything the server sent until it closed. */
async function untilClosed(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (data) => (text += data.toString('latin1')));
  if (!socket.closed) await withPatience(once(socket, 'close'), 'the server to close');
  return text;
}

/** A WebSocket that has been accepted, for bytes by hand. */
async function upgraded(path: string): Promise<Socket> {
  const socket = await raw(`GET ${path} HTTP/1.1`, ...HANDSHAKE);
  const [head] = (await withPatience(once(socket, 'data'), 'the handshake')) as [Buffer];
  expect(head.toString('latin1')).toMatch(/^HTTP\/1\.1 101/);
  return socket;
}

/** A masked frame as a client writes it, with a mask of zeros. */
function clientFrame(firstByte: number, payload: Buffer): Buffer {
  const head = payload.length < 126 ? Buffer.alloc(2) : Buffer.alloc(4);
  head[0] = firstByte;
  if (payload.length < 126) head[1] = 0x80 | payload.length;
  else {
    head[1] = 0x80 | 126;
    head.writeUInt16BE(payload.length, 2);
  }
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}

const post = (sid: string, body: string) =>
  fetch(`${served.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`, { method: 'POST', body });
const poll = async (sid: string) =>
  (await fetch(`${served.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`)).text();

async function pollingSession(): Promise<string> {
  const open = await (await fetch(`${served.url}/socket.io/?EIO=4&transport=polling`)).text();
  const { sid } = JSON.parse(open.slice(1)) as { sid: string };
  expect((await post(sid, '40')).status).toBe(200);
  expect(await poll(sid)).toMatch(/^40/);
  return sid;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function kept(): number {
  // What was read and dropped is garbage, not kept.
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

it('CVE-2020-36048: a huge polling POST is refused before it is kept', async () => {
  const sid = await pollingSession();
  const before = kept();
  const socket = await raw(
    `POST /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1`,
    'Host: 127.0.0.1',
    `Content-Length: ${100 << 20}`,
  );
  const answered = untilClosed(socket);
  const chunk = Buffer.alloc(1 << 20, 'x');
  let sent = 0;
  while (sent < 100 && socket.writable) {
    socket.write(chunk);
    sent++;
    await until('room to write', () => socket.writableLength < chunk.length || socket.closed);
  }
  socket.destroy();
  await answered;
  expect(kept() - before).toBeLessThan(30 << 20);
});

it('CVE-2020-36049, CVE-2026-33151: attachments without end are refused', async () => {
  for (const packet of ['45999999999-["packet"]', '451e9-["packet"]', '45-1-["packet"]', '450-["packet"]']) {
    const client = await PacketClient.connect(served.url, 'eve');
    client.socket.io.engine.transport.send([{ type: 'message', data: packet.slice(1) } as never]);
    await client.waitForClose();
  }
});

it('CVE-2021-32640: a long Sec-WebSocket-Protocol of spaces costs no time', async () => {
  for (const path of PATHS) {
    const began = performance.now();
    const socket = await raw(
      `GET ${path} HTTP/1.1`,
      ...HANDSHAKE,
      `Sec-WebSocket-Protocol: b${' '.repeat(14_000)}x`,
    );
    expect(await untilClosed(socket)).toMatch(/^HTTP\/1\.1 400/);
    expect(performance.now() - began).toBeLessThan(5000);
  }
});

it.each([0x80 | 0x20 | 2, 0x80 | 0x10 | 2, 0x80 | 0x40 | 2, 0x80 | 0x0b, 0x80])(
  'CVE-2022-21676: a frame that begins with %i ends the connection',
  async (firstByte) => {
    for (const path of PATHS) {
      const socket = await upgraded(path);
      socket.write(clientFrame(firstByte, Buffer.from('x')));
      await untilClosed(socket);
    }
  },
);

it.each(['"splice"', '1.5', '-1', '99', '{}', 'null', '"__proto__"'])(
  'CVE-2022-2421: a placeholder of %s is refused',
  async (num) => {
    const client = await PacketClient.connect(served.url, 'eve');
    const { transport } = client.socket.io.engine;
    transport.send([
      { type: 'message', data: `51-["packet",{"_placeholder":true,"num":${num}}]` } as never,
      { type: 'message', data: Buffer.from('x') } as never,
    ]);
    await client.waitForClose();
  },
);

it('CVE-2022-41940: a bad upgrade request and then a reset hurt nobody', async () => {
  for (const path of [
    ...PATHS,
    '/elsewhere',
    '/socket.io/?EIO=4&transport=websocket&sid=unknown',
    '/socket.io/',
  ]) {
    for (let i = 0; i < 20; i++) {
      const socket = await raw(`GET ${path} HTTP/1.1`, ...HANDSHAKE.slice(0, 3 + (i % 3)));
      socket.resetAndDestroy();
    }
  }
});

it.each(['__proto__', 'constructor', 'toString', 'flashsocket', 'webtransport', ''])(
  'CVE-2023-31125: transport=%s is refused',
  async (transport) => {
    const response = await fetch(`${served.url}/socket.io/?EIO=4&transport=${transport}`);
    expect(response.status).toBe(400);
    const socket = await raw(`GET /socket.io/?EIO=4&transport=${transport} HTTP/1.1`, ...HANDSHAKE);
    expect(await untilClosed(socket)).toMatch(/^HTTP\/1\.1 400/);
  },
);

it.each([
  '2[{"toString":"foo"}]',
  '2["error"]',
  '2["disconnect"]',
  '2["newListener"]',
  '2[1]',
  '2[]',
  '2',
  '2"x"',
  '3["x"]',
  '30["x"]',
  '0/elsewhere,',
  '0',
  '4{"message":"x"}',
  '7',
  'x',
  '',
])('CVE-2023-32695, CVE-2024-38355: the Socket.IO packet %j hurts nobody', async (packet) => {
  const client = await PacketClient.connect(served.url, 'eve');
  const { transport } = client.socket.io.engine;
  for (let i = 0; i < 6; i++) transport.send([{ type: 'message', data: packet } as never]);
  const alive = client.heartbeat().catch(() => null);
  await Promise.race([client.waitForClose(), alive]);
  await client.close();
});

it('CVE-2024-37890: more headers than the server takes, on an upgrade, hurt nobody', async () => {
  for (const path of PATHS) {
    const headers = Array.from({ length: 3000 }, (_, i) => `a${i}: b`);
    const socket = await raw(`GET ${path} HTTP/1.1`, ...headers, ...HANDSHAKE);
    await untilClosed(socket);
    const some = await raw(`GET ${path} HTTP/1.1`, ...headers.slice(0, 500), ...HANDSHAKE);
    await untilClosed(some);
  }
});

it('CVE-2026-48779: a message in thousands of tiny or empty fragments ends the connection', async () => {
  for (const path of PATHS) {
    for (const payload of ['', 'x']) {
      const socket = await upgraded(path);
      const closed = untilClosed(socket);
      const rest = clientFrame(0, Buffer.from(payload));
      socket.write(clientFrame(2, Buffer.from(payload)));
      socket.write(Buffer.concat(Array.from({ length: 5000 }, () => rest)));
      await closed;
    }
  }
});

it('a flood of pings ends the connection', async () => {
  const socket = await upgraded('/ws');
  const closed = untilClosed(socket);
  const ping = clientFrame(0x89, Buffer.from('ping'));
  socket.write(Buffer.concat(Array.from({ length: 5000 }, () => ping)));
  await closed;
});

it('a flood of Socket.IO’s own packets ends the connection', async () => {
  const socket = await upgraded('/socket.io/?EIO=4&transport=websocket');
  const closed = untilClosed(socket);
  const packet = clientFrame(0x81, Buffer.from('40/nowhere,'));
  socket.write(Buffer.concat(Array.from({ length: 5000 }, () => packet)));
  await closed;
});

it.each(['/elsewhere', '/wsx', '/ws/', '/socket.iox/?EIO=4&transport=websocket', '/', '//', '/%00'])(
  'an upgrade to %s is answered 404 and closed',
  async (path) => {
    const socket = await raw(`GET ${path} HTTP/1.1`, ...HANDSHAKE);
    expect(await untilClosed(socket)).toMatch(/^HTTP\/1\.1 404/);
  },
);

it('an upgrade to /ws that is no WebSocket handshake is refused', async () => {
  for (const lines of [
    HANDSHAKE.slice(0, 3),
    HANDSHAKE.with(3, 'Sec-WebSocket-Version: 99'),
    HANDSHAKE.with(1, 'Upgrade: h2c'),
  ]) {
    const socket = await raw('GET /ws HTTP/1.1', ...lines);
    expect(await untilClosed(socket)).toMatch(/^HTTP\/1\.1 4/);
  }
});

it.each(['', '\0\0\0', 'NONSENSE\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n'])(
  'what is no HTTP (%j) is closed',
  async (text) => {
    const socket = await raw();
    socket.write(text);
    await untilClosed(socket);
  },
);

it('a request that never ends is closed', async () => {
  const socket = await raw();
  socket.write('GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ');
  expect(await untilClosed(socket)).toMatch(/^(HTTP\/1\.1 408|$)/);
});

it('a request that goes on for ever is answered 408 and closed', async () => {
  const socket = await raw();
  socket.write('GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ');
  const dripping = setInterval(() => socket.write('.'), 50);
  expect(await untilClosed(socket).finally(() => clearInterval(dripping))).toMatch(/^HTTP\/1\.1 408/);
});

it('a handshake and then silence is closed, on both endpoints', async () => {
  for (const path of PATHS) await untilClosed(await upgraded(path));
});

it('a polling session that is given up leaves nothing', async () => {
  await pollingSession();
  await until('the session to be gone', () => served.connections.size === 0);
});

it('a polling handshake without anything after it gives its place back when the time to log in is over', async () => {
  const begun = performance.now();
  const open = () => served.metrics.getSingleMetric('starling_connections')!.get();
  for (let i = 0; i < 5; i++) await fetch(`${served.url}/socket.io/?EIO=4&transport=polling`);
  const ofSocketIo = async () =>
    (await open()).values.find(({ labels }) => labels['endpoint'] === 'socket.io')!.value;
  expect(await ofSocketIo()).toBe(5);
  await until('the places to be free', async () => (await ofSocketIo()) === 0);
  // engine.io by itself would wait 30 s for the poll that never comes.
  expect(performance.now() - begun).toBeLessThan(15_000);
});

it('a byte frame in deep nesting, with a million keys, or of one long number is refused', async () => {
  const client = await ByteClient.connect(served.bytesUrl, 'eve');
  const bodies = [
    '['.repeat(8000),
    `{"version":1,"command":17,"a":${'['.repeat(3000)}${']'.repeat(3000)}}`,
    `{"version":1,"command":17,${Array.from({ length: 700 }, (_, i) => `"${i}":0`).join(',')}}`,
    `{"version":1,"command":3,"a":1${'0'.repeat(7000)}}`,
  ];
  for (const body of bodies) client.transmitBytes(frame(1, 1, 17, Buffer.from(body)));
  await until('four refusals', () => client.packets.filter(({ success }) => success === false).length === 4);
  await client.close();
});

it('a message above the limit is answered, one far above it ends the connection', async () => {
  const large = await ByteClient.connect(served.bytesUrl, 'eve');
  large.transmitBytes(frame(1, 1, 17, Buffer.alloc(9000, ' ')));
  expect(await large.waitFor('the refusal', ({ success }) => success === false)).toMatchObject({
    command: 18,
    errorCode: 1005,
  });
  large.transmitBytes(Buffer.alloc(1 << 20));
  expect(await large.waitForClose()).toMatchObject({ code: 1009 });
  const object = await PacketClient.connect(served.url, 'eve');
  object.transmit({ version: 1, command: 17, a: 'x'.repeat(8500) });
  expect(await object.waitFor('the refusal', ({ success }) => success === false)).toMatchObject({
    errorCode: 1005,
  });
  expect(await object.heartbeat()).toMatchObject({ command: 18 });
  object.transmit({ version: 1, command: 17, a: 'x'.repeat(1 << 20) });
  await object.waitForClose();
});

it('a foreign origin gets no connection on either endpoint', async () => {
  const origin = 'https://evil.example';
  const socket = new WebSocket(served.bytesUrl, { origin });
  const [error] = (await once(socket, 'error')) as [Error];
  expect(error.message).toContain('403');
  await expect(PacketClient.connect(served.url, 'eve', { headers: { origin } })).rejects.toThrow();
  const polling = await fetch(`${served.url}/socket.io/?EIO=4&transport=polling`, { headers: { origin } });
  expect(polling.status).toBe(403);
  expect(polling.headers.get('access-control-allow-origin')).toBeNull();
});
