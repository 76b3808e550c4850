import { connect } from 'node:net';
import { ByteClient, PacketClient, until, type ChatClient } from '@starling/testing';
import { serveEndpoints, type ServedEndpoints } from './serve-endpoints.js';

let served: ServedEndpoints;

async function serve(env: Record<string, string> = {}): Promise<void> {
  served = await serveEndpoints(env);
}

afterEach(() => served.app.close());

type Kind = 'object' | 'bytes' | 'polling';
const KINDS: Kind[] = ['object', 'bytes', 'polling'];

function open(kind: Kind, userId = 'ann'): Promise<ChatClient> {
  if (kind === 'bytes') return ByteClient.connect(served.bytesUrl, userId);
  return PacketClient.connect(served.url, userId, {
    transport: kind === 'polling' ? 'polling' : 'websocket',
  });
}

const expectCode = (client: ChatClient, code: number) => {
  if (client instanceof ByteClient) expect(client.closed!.code).toBe(code);
};

it.each(KINDS)('who does not log in is closed, and nothing stays (%s)', async (kind) => {
  await serve({ LOGIN_TIMEOUT_MS: '1000' });
  const client = await open(kind);
  await client.heartbeat();
  await client.waitForClose();
  expectCode(client, 4002);
  await until('nothing to stay', () => served.connections.size === 0);
  expect(served.echo.ends).toHaveLength(1);
});

it.each(KINDS)(
  'an expired token closes with its reason, a login within the limit does not (%s)',
  async (kind) => {
    await serve({ LOGIN_TIMEOUT_MS: '2000' });
    const stays = await open(kind);
    await stays.login({ expiresInMs: 3_000_000_000 });
    const leaves = await open(kind);
    await leaves.login({ expiresInMs: 2500, push: true });
    await leaves.waitForClose();
    expectCode(leaves, 4003);
    expect(leaves.packets.at(-1)).toMatchObject({
      command: -14,
      code: 4003,
      reconnect: 'now',
      retryAfterMs: null,
    });
    expect(stays.closed).toBeNull();
    await stays.heartbeat();
    await stays.close();
  },
);

it.each(KINDS)(
  'a stopping server tells clients when to come back, answers what it took, and closes (%s)',
  async (kind) => {
    await serve({ DRAIN_MS: '3000', RECONNECT_WINDOW_MS: '1000' });
    const [told, untold] = [await open(kind), await open(kind, 'webim')];
    await told.login({ push: true });
    await untold.login();
    const held = told.request({ version: 1, command: 3, hasBeenSentId: 1, hold: true, isItMe: true });
    await until('the packet to be taken', () => served.echo.holding === 1);
    const closed = served.app.close();
    const push = await told.waitFor('push -14', ({ command }) => command === -14);
    expect(push).toMatchObject({ code: 4001, reconnect: 'later' });
    expect(push['retryAfterMs']).toBeGreaterThanOrEqual(0);
    expect(push['retryAfterMs']).toBeLessThanOrEqual(1000);
    expect(await told.request({ version: 1, command: 3, hasBeenSentId: 2 })).toMatchObject({
      errorCode: 6003,
    });
    await expect(open(kind, 'late')).rejects.toThrow();
    served.echo.release();
    expect(await held).toMatchObject({ success: true });
    await Promise.all([told.waitForClose(), untold.waitForClose()]);
    expectCode(told, 4001);
    expectCode(untold, 4001);
    expect(untold.packets.map(({ command }) => command)).toEqual([2]);
    await closed;
  },
);

it('a stopping server waits no longer than it may, for answers and for clients that do not go', async () => {
  await serve({ DRAIN_MS: '400' });
  const kept: ChatClient[] = [];
  for (const kind of KINDS) {
    const client = await open(kind);
    await client.login();
    void client.request({ version: 1, command: 3, hasBeenSentId: 1, hold: true });
    kept.push(client);
  }
  await until('the packets to be taken', () => served.echo.holding === KINDS.length);
  for (const client of kept) if (client instanceof ByteClient) client.pause();
  const began = performance.now();
  await served.app.close();
  expect(performance.now() - began).toBeLessThan(10_000);
  for (const client of kept) if (client instanceof ByteClient) client.resume();
  await Promise.all(kept.map((client) => client.waitForClose()));
});

it.each(['bytes', 'object'] as const)(
  'the client’s own goodbye is told apart from a cut (%s)',
  async (kind) => {
    await serve();
    const polite = await open(kind);
    await polite.login();
    await polite.close();
    await until('the end', () => served.echo.ends.length === 1);
    const rude = await open(kind);
    await rude.login();
    rude.abort();
    await until('the end', () => served.echo.ends.length === 2);
    expect(served.echo.ends.map(({ clean }) => clean)).toEqual([true, false]);
  },
);

it('a connection over the address’s limit is refused, and its place is free again after an end of any kind', async () => {
  await serve({ MAX_CONNECTIONS_PER_ADDRESS: '3' });
  for (let round = 0; round < 3; round++) {
    const clients = await Promise.all(KINDS.map((kind) => open(kind)));
    for (const kind of KINDS) await expect(open(kind)).rejects.toThrow();
    await clients[0]!.close();
    await clients[2]!.close();
    clients[1]!.abort();
    await until('free places', async () => served.connections.size === 0);
    await until('free addresses', async () => {
      const text = await (await fetch(`${served.url}/metrics`)).text();
      return text.match(/^starling_connections\{.*\} [1-9]/m) === null;
    });
  }
});

it('a silent peer is closed, one that answers pings is not', async () => {
  await serve({ SILENCE_TIMEOUT_MS: '2000' });
  const silent = await ByteClient.connect(served.bytesUrl, 'silent', { autoPong: false });
  const quiet = await ByteClient.connect(served.bytesUrl, 'quiet');
  await Promise.all([silent.login(), quiet.login()]);
  await silent.waitForClose();
  expect(silent.closed!.code).toBe(4008);
  expect(quiet.closed).toBeNull();
  await quiet.close();
});

it('a polling client that never fetches its packets is closed when its buffer is full', async () => {
  await serve({ MAX_OUTBOUND_BYTES: '131072' });
  const sid = JSON.parse(
    (await (await fetch(`${served.url}/socket.io/?EIO=4&transport=polling`)).text()).slice(1),
  ).sid as string;
  const post = (body: string) =>
    fetch(`${served.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`, { method: 'POST', body });
  await post('40');
  await until('the connection to be closed', async () => {
    await post(`42["packet",{"version":1,"command":19,"a":"${'x'.repeat(40_000)}"}]`);
    return served.connections.size === 0;
  });
  const text = await (await fetch(`${served.url}/metrics`)).text();
  expect(text).toMatch(/^starling_connections_closed_total\{reason="SLOW_READER"\} 1$/m);
});

it('takes a connection for closed from the client’s close frame on, not only when the socket has ended', async () => {
  await serve();
  // Half open, so that the socket stays while the WebSocket is closed already.
  const socket = connect({ port: served.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.write(
    'GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n',
  );
  await until('the connection', () => served.connections.size === 1);
  const [connection] = [...served.connections.all()];
  expect(connection!.isOpen).toBe(true);
  const closeFrame1000 = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
  socket.write(closeFrame1000);
  // What is written from here on reaches nobody, so it must not count as delivered.
  await until('the close frame to count', () => !connection!.isOpen);
  expect(served.echo.ends.length).toBe(0);
  socket.end();
  await until('the end', () => served.echo.ends.length === 1);
  expect(served.echo.ends[0]!.clean).toBe(true);
});
