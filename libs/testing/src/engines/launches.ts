import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import os from 'node:os';
import { join } from 'node:path';
import type { Launch } from './engine-process.js';
import type { Program } from './find-program.js';

const PROBE_PATIENCE_MS = 1_000;

/** Of nats-server's configuration; `jetstream` is merged into what an engine needs. */
export interface NatsConfig {
  readonly jetstream?: Readonly<Record<string, unknown>>;
  readonly [setting: string]: unknown;
}

export function natsServer(program: Program, config: NatsConfig = {}): Launch {
  return {
    program,
    args(port, dataDir) {
      const file = join(dataDir, 'nats-server.conf');
      const jetstream = { store_dir: join(dataDir, 'store'), sync_interval: '1s', ...config.jetstream };
      // nats-server reads JSON as its own language, a setting a line, without the outermost braces.
      const settings = Object.entries({ ...config, listen: `127.0.0.1:${port}`, jetstream });
      writeFileSync(file, settings.map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`).join(''));
      return ['-c', file];
    },
    probe: async (port) => ((await answers(port, '', 'INFO ')) ? `nats://127.0.0.1:${port}` : null),
  };
}

export type RedisConfig = Readonly<Record<string, string>>;

/**
 * Every write is in the system's hands before it is answered, so that only a crash of the machine loses some; unless the
 * disk is so slow that the sync of the second before still goes on. With `appendfsync: 'always'` nothing is lost.
 */
export function redisServer(program: Program, config: RedisConfig = {}): Launch {
  return {
    program,
    args(port, dataDir) {
      const where = { bind: '127.0.0.1', port: String(port), dir: dataDir };
      const settings = { save: '', appendonly: 'yes', appendfsync: 'everysec', ...config, ...where };
      return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    },
    probe: async (port) => ((await answers(port, 'PING\r\n', '+PONG')) ? `redis://127.0.0.1:${port}` : null),
  };
}

export interface MongoConfig {
  /** Not of a replica set, and so without transactions, as servers are that somebody just installed. */
  readonly standalone?: boolean;
}

export function mongoServer(program: Program, { standalone = false }: MongoConfig = {}): Launch {
  return {
    program,
    args: (port, dataDir) =>
      program.name === 'mongod'
        ? mongodArgs(port, dataDir, standalone)
        : secantusArgs(program, port, dataDir, standalone),
    probe: (port) => primaryAt(port, standalone),
  };
}

const REPLICA_SET = 'rs0';

function mongodArgs(port: number, dataDir: string, standalone: boolean): string[] {
  const db = join(dataDir, 'db');
  mkdirSync(db, { recursive: true });
  const where = ['--bind_ip', '127.0.0.1', '--port', String(port), '--dbpath', db];
  return standalone ? where : [...where, '--replSet', REPLICA_SET];
}

function secantusArgs({ name }: Program, port: number, dataDir: string, standalone: boolean): string[] {
  const settings = join(dataDir, 'secantusd.toml');
  writeFileSync(settings, '');
  const where = ['--host', '127.0.0.1', '--port', String(port), '--storage-path', join(dataDir, 'db')];
  // Without the last of these a kill loses writes that were acknowledged as journaled.
  const how = ['--config', settings, '--cache-size', '256M', '--sync-on-commit'];
  const log = name === 'secantusd-rs' ? ['--log-file-max', '16MB'] : [];
  return [...where, ...how, ...log, ...(standalone ? ['--standalone'] : [])];
}

/** The URL once there is a primary. A new mongod is made a replica set of one, since only those have transactions. */
async function primaryAt(port: number, standalone: boolean): Promise<string | null> {
  const { mongo } = await import('mongoose');
  const client = new mongo.MongoClient(`mongodb://127.0.0.1:${port}/`, {
    directConnection: true,
    serverSelectionTimeoutMS: PROBE_PATIENCE_MS,
    // The driver imports it in a way that jest refuses, and then says nothing of itself, which servers refuse.
    runtimeAdapters: { os },
  });
  try {
    const admin = client.db('admin');
    const hello = await admin.command({ hello: 1 });
    if (standalone) return `mongodb://127.0.0.1:${port}/starling`;
    if (hello['isWritablePrimary'] === true && typeof hello['setName'] === 'string') {
      return `mongodb://127.0.0.1:${port}/starling?replicaSet=${hello['setName']}`;
    }
    if (hello['isreplicaset'] === true) {
      const members = [{ _id: 0, host: `127.0.0.1:${port}` }];
      await admin.command({ replSetInitiate: { _id: REPLICA_SET, members } });
    }
    return null;
  } finally {
    await client.close();
  }
}

/** Whether who listens there sends what begins so, after having been sent `question`. */
function answers(port: number, question: string, expected: string): Promise<boolean> {
  return new Promise((resolve) => {
    let heard = '';
    const socket = connect({ host: '127.0.0.1', port });
    const settle = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(PROBE_PATIENCE_MS, () => settle(false));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
    socket.once('connect', () => socket.write(question));
    socket.on('data', (bytes) => {
      heard += bytes.toString('latin1');
      if (heard.length >= expected.length) settle(heard.startsWith(expected));
    });
  });
}
