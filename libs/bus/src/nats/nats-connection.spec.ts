import { createServer, type AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { describeWithOwnEngines, Line, startNats, until, type Engine } from '@starling/testing';
import { pino } from 'pino';
import { BusConnection, connectionOptions } from './nats-connection.js';

function logTo(lines: { level: number; msg: string; reason?: string }[]) {
  return pino(
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        lines.push(JSON.parse(chunk.toString()));
        done();
      },
    }),
  );
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('connectionOptions', () => {
  it('takes user and password from the first server, and leaves them out of the addresses', () => {
    const servers = ['nats://im:p%40ss@nats-0:4222', 'nats://[::1]:4223', 'nats://nats-2'];
    expect(connectionOptions({ servers, name: 'x' })).toMatchObject({
      user: 'im',
      pass: 'p@ss',
      servers: ['nats-0:4222', '[::1]:4223', 'nats-2'],
    });
    expect(connectionOptions({ servers: ['nats://nats-0'], name: 'x' })).not.toHaveProperty('user');
  });
});

/** One server here. That it goes on at another server of a cluster of NATS cannot be tried without one. */
describeWithOwnEngines(['nats'], 'BusConnection', () => {
  let engine: Engine | null = null;

  afterEach(async () => {
    await engine?.stop();
    engine = null;
  });

  it('waits for a server that is started later, and says so once', async () => {
    const port = await freePort();
    const lines: { level: number; msg: string }[] = [];
    const opening = BusConnection.open(
      { servers: [`nats://127.0.0.1:${port}`], name: 'early' },
      logTo(lines),
    );
    await until('the line', () => lines.length > 0);
    engine = await startNats({ port });
    const connection = await opening;
    expect(connection.isConnected).toBe(true);
    expect(lines.map(({ msg }) => msg)).toEqual(['waiting for NATS', 'NATS is there']);
    await connection.close();
  });

  it('stops waiting when it is told to', async () => {
    const stop = new AbortController();
    const options = { servers: [`nats://127.0.0.1:${await freePort()}`], name: 'x' };
    const opening = BusConnection.open(options, logTo([]), stop.signal);
    stop.abort();
    await expect(opening).rejects.toThrow();
  });

  it('tells readiness whether the server answers, and comes back by itself', async () => {
    engine = await startNats();
    const lines: { msg: string }[] = [];
    const connection = await BusConnection.open({ servers: [engine.url], name: 'x' }, logTo(lines as never));
    await connection.check();
    let reconnects = 0;
    connection.onReconnect(() => reconnects++);
    await engine.kill9();
    await until('the loss', () => !connection.isConnected);
    await expect(connection.check()).rejects.toThrow('no connection to NATS');
    await engine.restart();
    await until('the reconnect', () => reconnects === 1);
    await connection.check();
    expect(lines.map(({ msg }) => msg)).toEqual([
      'the connection to NATS is lost',
      'connected to NATS again',
    ]);
    await connection.close();
  });

  it('leaves a server that takes nothing more, though it has much to send to it', async () => {
    engine = await startNats();
    const line = await Line.to(engine.url);
    const connection = await BusConnection.open({ servers: [line.url], name: 'x' }, logTo([]));
    line.silence('to the engine');
    line.silence('from the engine');
    // More than the system takes of a socket.
    for (let i = 0; i < 64; i++) connection.nats.publish('x', new Uint8Array(1 << 19));
    await until('the loss', () => !connection.isConnected);
    line.resume();
    await until('the reconnect', () => connection.isConnected);
    await connection.check();
    await connection.close();
    await line.close();
  });
});
