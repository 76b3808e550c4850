import { Socket } from 'node:net';
import { ByteClient, PacketClient, until, type ChatClient } from '@starling/testing';
import { DeliveryFrames } from '../../src/connection/delivery-frames.js';
import type { Connection } from '../../src/connection/connection.js';
import { packetText } from '../../src/connection/packet-text.js';
import { serveEndpoints, type ServedEndpoints } from './serve-endpoints.js';

let served: ServedEndpoints;
let clients: ChatClient[];

beforeEach(async () => {
  served = await serveEndpoints();
  clients = [];
});

afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(clients.map((client) => client.close()));
  await served.app.close();
});

type Kind = 'object' | 'frame' | 'bytes' | 'polling';

async function open(kind: Kind): Promise<{ client: ChatClient; connection: Connection }> {
  const known = new Set(served.connections.all());
  const client =
    kind === 'bytes'
      ? await ByteClient.connect(served.bytesUrl, 'ann')
      : await PacketClient.connect(served.url, 'ann', {
          carries: kind === 'frame' ? 'frame' : 'object',
          transport: kind === 'polling' ? 'polling' : 'websocket',
        });
  clients.push(client);
  await client.login();
  const connection = [...served.connections.all()].find((candidate) => !known.has(candidate))!;
  return { client, connection };
}

const KINDS: Kind[] = ['object', 'frame', 'bytes', 'polling'];

function number(i: number): string {
  return `"content":"message ${i} 😀","seq":${i}`;
}

it.each(KINDS)(
  'keeps the order of answers, packets and deliveries, however they are mixed (%s)',
  async (kind) => {
    const { client, connection } = await open(kind);
    const before = client.packets.length;
    const answers: Promise<unknown>[] = [];
    served.echo.received.length = 0;
    for (let i = 0; i < 50; i++)
      answers.push(client.request({ version: 1, command: 3, hasBeenSentId: i, isItMe: true, n: 2 * i }));
    let n = 0;
    await until('all of them', () => {
      while (n < 50 && n < served.echo.received.length) {
        connection.write(new DeliveryFrames(`"n":${2 * n + 1}`).for(connection.form, false));
        n++;
      }
      return n === 50;
    });
    await client.waitFor('the last delivery', (packet) => packet['n'] === 99);
    await Promise.all(answers);
    const got = client.packets.slice(before).map((packet) => packet['n'] as number);
    const odd = got.filter((value) => value % 2 === 1);
    const even = got.filter((value) => value % 2 === 0);
    expect(odd).toEqual(Array.from({ length: 50 }, (_, i) => 2 * i + 1));
    expect(even).toEqual(Array.from({ length: 50 }, (_, i) => 2 * i));
  },
);

it.each(KINDS.filter((kind) => kind !== 'polling'))(
  'hands what one turn wrote to the system at once (%s)',
  async (kind) => {
    const { client, connection } = await open(kind);
    const prototype = Socket.prototype as unknown as {
      _writev(chunks: unknown[], done: () => void): void;
      _write(chunk: unknown, encoding: string, done: () => void): void;
    };
    const many = jest.spyOn(prototype, '_writev');
    const single = jest.spyOn(prototype, '_write');
    for (let i = 1; i <= 100; i++)
      connection.write(new DeliveryFrames(number(i)).for(connection.form, false));
    connection.send(packetText(18));
    await client.waitFor('the last', ({ command }) => command === 18);
    expect(single.mock.calls.length + many.mock.calls.length).toBe(1);
    expect(client.delivered.map((packet) => packet['seq'])).toEqual(
      Array.from({ length: 100 }, (_, i) => i + 1),
    );
  },
);

it.each(KINDS)('delivers texts as they are (%s)', async (kind) => {
  const { client, connection } = await open(kind);
  const content = '\u0000 "quoted" \\ \u2028 ß 界 😀 \ud800 end';
  connection.write(new DeliveryFrames(JSON.stringify({ content }).slice(1, -1)).for(connection.form, true));
  expect(await client.waitForMessage(content)).toMatchObject({ isItMe: true, command: 4 });
});

it('goes on in order while Socket.IO changes from polling to websocket', async () => {
  const { io } = await import('socket.io-client');
  const known = new Set(served.connections.all());
  const socket = io(served.url, {
    forceNew: true,
    reconnection: false,
    transports: ['polling', 'websocket'],
  });
  const seqs: number[] = [];
  socket.on('packet', (packet: { seq: number }) => seqs.push(packet.seq));
  let upgraded = false;
  socket.io.engine.on('upgrade', () => (upgraded = true));
  const connection = await until('the connection', () =>
    [...served.connections.all()].find((candidate) => !known.has(candidate)),
  );
  let seq = 0;
  const write = () => {
    for (let i = 0; i < 5; i++)
      connection.write(new DeliveryFrames(`"seq":${++seq}`).for(connection.form, false));
  };
  await until('the upgrade', () => {
    write();
    return upgraded;
  });
  for (let i = 0; i < 20; i++) write();
  await until('everything', () => seqs.length >= seq);
  socket.close();
  expect(seqs).toEqual(Array.from({ length: seq }, (_, i) => i + 1));
});

it.each(['bytes', 'object'] as const)(
  'confirms what was written, and no more after the end (%s)',
  async (kind) => {
    const { client, connection } = await open(kind);
    let arrived = 0;
    client.onPacket = () => arrived++;
    for (let i = 0; i < 20; i++) connection.send(packetText(18));
    const all = await Promise.all([connection.confirmed(), connection.confirmed(), connection.confirmed()]);
    expect(all).toEqual([true, true, true]);
    if (kind === 'bytes') expect(arrived).toBe(20);
    client.abort();
    await until('the end', () => !connection.isOpen);
    expect(await connection.confirmed()).toBe(false);
  },
);

it('answers in the form of the packet, and sends the rest in the form used last', async () => {
  const { client, connection } = await open('object');
  const socket = (client as PacketClient).socket;
  const { frame } = await import('@starling/testing');
  const answer: unknown = await socket.emitWithAck(
    'packet',
    frame(1, 1, 17, Buffer.from('{"version":1,"command":17}')),
  );
  expect(Buffer.isBuffer(answer)).toBe(true);
  expect(connection.form.kind).toBe('frame');
  const next: unknown = await socket.emitWithAck('packet', { version: 1, command: 17 });
  expect(next).toMatchObject({ command: 18 });
  expect(connection.form.kind).toBe('object');
});
