import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import os, { tmpdir } from 'node:os';
import { join } from 'node:path';
import mongoose from 'mongoose';
import { createClient } from 'redis';
import { until } from '../process/until.js';
import { describeWithOwnEngines } from './describe-with-engines.js';
import type { Engine, EngineOptions } from './engine.js';
import type { EngineProcess } from './engine-process.js';
import { startMongo, startNats, startRedis } from './start-engine.js';

const WRITES = 50;

/** What a test does with an engine as its users do: write what must not be lost, and count it. */
interface Client {
  write(i: number): Promise<void>;
  count(): Promise<number>;
  close(): Promise<unknown>;
}

async function natsClient(url: string): Promise<Client> {
  const connection = await connect({ servers: url, reconnect: false });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: 'written', subjects: ['written.*'] });
  const stream = jetstream(connection);
  return {
    async write(i) {
      await stream.publish(`written.${i}`);
    },
    count: async () => (await manager.streams.info('written')).state.messages,
    close: () => connection.close(),
  };
}

async function redisClient(url: string): Promise<Client> {
  const client = createClient({ url, socket: { reconnectStrategy: false } });
  client.on('error', () => undefined);
  await client.connect();
  return {
    async write(i) {
      await client.set(`written:${i}`, i);
    },
    count: () => client.dbSize(),
    close: async () => client.destroy(),
  };
}

async function mongoClient(url: string): Promise<Client> {
  const connection = await mongoose
    .createConnection(url, {
      runtimeAdapters: { os },
      writeConcern: { w: 'majority', journal: true },
      serverSelectionTimeoutMS: 5_000,
    })
    .asPromise();
  const written = connection.collection<{ _id: number }>('written');
  return {
    async write(i) {
      await connection.transaction(async (session) => {
        await written.insertOne({ _id: i }, { session });
      });
    },
    count: () => written.countDocuments({}),
    close: () => connection.close(),
  };
}

const KINDS = [
  ['nats', startNats, natsClient],
  ['redis', startRedis, redisClient],
  ['mongodb', startMongo, mongoClient],
] as const;

describe.each(KINDS)('an engine that tests start: %s', (name, start, clientOf) => {
  describeWithOwnEngines([name], 'is a real one', () => {
    let folder: string;
    let engine: Engine | undefined;
    let clients: Client[];

    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'starling-engine-spec-'));
      clients = [];
    });
    afterEach(async () => {
      await Promise.all(clients.map((client) => client.close()));
      await engine?.stop();
      engine = undefined;
      rmSync(folder, { recursive: true, force: true });
    });

    async function started(options: EngineOptions = {}): Promise<Engine> {
      engine = await start(options);
      return engine;
    }

    async function client(): Promise<Client> {
      const client = await clientOf(engine!.url);
      clients.push(client);
      return client;
    }

    it('keeps what it acknowledged over a kill -9 and a restart, on the same port', async () => {
      const { port, pid } = await started();
      const before = await client();
      for (let i = 0; i < WRITES; i++) await before.write(i);
      await engine!.kill9();
      expect(isAlive(pid)).toBe(false);
      await engine!.restart();
      expect(engine!.pid).not.toBe(pid);
      expect(engine!.port).toBe(port);
      expect(await (await client()).count()).toBe(WRITES);
    });

    it('stops cleanly, and keeps its data in a folder of the caller', async () => {
      const { pid, port } = await started({ dataDir: folder });
      await (await client()).write(1);
      await engine!.stop();
      expect(isAlive(pid)).toBe(false);
      await expect(listens(port)).resolves.toBe(false);
      await started({ dataDir: folder, port });
      expect(engine!.port).toBe(port);
      expect(await (await client()).count()).toBe(1);
    });

    it('removes its data, and takes another port than its sibling, when none is given', async () => {
      const { port } = await started();
      const { dataDir } = engine as EngineProcess;
      const sibling = await start();
      expect(sibling.port).not.toBe(port);
      await sibling.stop();
      expect(existsSync(dataDir)).toBe(true);
      await engine!.stop();
      expect(existsSync(dataDir)).toBe(false);
    });

    it('answers nothing while it is paused, and everything afterwards', async () => {
      const { pid } = await started();
      const writer = await client();
      engine!.pause();
      await until('the pause', () => stateOf(pid).startsWith('T'));
      let answered = false;
      const write = writer.write(1).then(() => (answered = true));
      await expect(listens(engine!.port)).resolves.toBe(true);
      expect(answered).toBe(false);
      engine!.resume();
      await write;
      expect(await writer.count()).toBe(1);
    });

    it('does not take somebody else on its port for itself', async () => {
      const { port } = await started();
      await expect(start({ port })).rejects.toThrow('somebody else listens there');
      expect(await (await client()).count()).toBe(0);
    });
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function stateOf(pid: number): string {
  return execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host: '127.0.0.1', port }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
