import os from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import type { Connection, mongo as Driver } from 'mongoose';
import type { Logger } from 'pino';
import { StorageStartError } from '../storage-errors.js';

/** MongoDB 7.0. */
const OLDEST_WIRE_VERSION = 21;
const AUTHENTICATION_FAILED = 18;
const LOOK_AGAIN_MS = 500;

const OPTIONS = {
  autoCreate: false,
  autoIndex: false,
  bufferCommands: false,
  readPreference: 'primary',
  readConcern: { level: 'majority' },
  writeConcern: { w: 'majority', journal: true, wtimeoutMS: 10_000 },
  serverSelectionTimeoutMS: 5_000,
  connectTimeoutMS: 5_000,
  heartbeatFrequencyMS: 5_000,
  // A server that stands still must not hold a caller up for ever.
  socketTimeoutMS: 30_000,
  maxPoolSize: 30,
  // Left to itself the driver imports it in a way that test runners refuse, and then some servers refuse it.
  runtimeAdapters: { os },
} as const;

/** What a server says of itself to whoever asks. */
interface Hello {
  readonly setName?: string;
  readonly msg?: string;
  readonly maxWireVersion: number;
  readonly logicalSessionTimeoutMinutes?: number | null;
}

/** See `MongoDatabase.connect`. */
export async function connectMongo(url: string, logger: Logger): Promise<Connection> {
  const { createConnection, mongo } = await import('mongoose');
  const { hosts, replicaSet, tls } = settingsOf(url, mongo);
  const servers = hosts.join(',');
  let waiting = false;
  for (;;) {
    const connection = createConnection();
    try {
      await connection.openUri(url, OPTIONS);
      refuseUnfit(servers, await helloOf(connection));
      if (waiting) logger.info({ servers }, 'MongoDB is there');
      watch(connection, servers, logger);
      return connection;
    } catch (error) {
      await connection.close();
      if (error instanceof StorageStartError) throw error;
      refuseLogin(servers, error);
      if (!tls) for (const host of hosts) await refuseMismatch(host, replicaSet, mongo);
      if (!waiting) logger.warn({ servers, reason: (error as Error).name }, 'waiting for MongoDB');
      waiting = true;
      await pause(LOOK_AGAIN_MS);
    }
  }
}

function settingsOf(url: string, { MongoClient }: typeof Driver) {
  try {
    const { hosts, replicaSet, tls } = new MongoClient(url).options;
    return { hosts: hosts.map(String), replicaSet, tls };
  } catch {
    // Its own words may repeat the URL, and with it a password.
    throw new StorageStartError('MONGODB_URL cannot be used: it is no connection string of MongoDB');
  }
}

async function helloOf(connection: Connection): Promise<Hello> {
  return (await connection.db!.admin().command({ hello: 1 })) as unknown as Hello;
}

function refuseUnfit(servers: string, hello: Hello): void {
  if (hello.maxWireVersion < OLDEST_WIRE_VERSION) {
    throw new StorageStartError(`MongoDB at ${servers} is too old: use version 7.0 or newer`);
  }
  if (
    typeof hello.logicalSessionTimeoutMinutes !== 'number' ||
    (!hello.setName && hello.msg !== 'isdbgrid')
  ) {
    throw new StorageStartError(
      `MongoDB at ${servers} is a standalone server, which has no transactions. Make it a replica set (one member is` +
        ' enough): start it with --replSet rs0, run rs.initiate() on it once, and name the set in MONGODB_URL' +
        ' (…/starling?replicaSet=rs0)',
    );
  }
}

function refuseLogin(servers: string, error: unknown): void {
  if ((error as { code?: unknown }).code !== AUTHENTICATION_FAILED) return;
  throw new StorageStartError(`MongoDB at ${servers} does not accept the user and password of MONGODB_URL`);
}

/** The driver waits for ever for a set that the server is not of; asked directly, the server tells. */
async function refuseMismatch(
  host: string,
  replicaSet: string | null | undefined,
  { MongoClient }: typeof Driver,
): Promise<void> {
  if (!replicaSet) return;
  const client = new MongoClient(`mongodb://${host}/`, {
    directConnection: true,
    serverSelectionTimeoutMS: 1_000,
    runtimeAdapters: { os },
  });
  let hello: Hello;
  try {
    hello = (await client.db('admin').command({ hello: 1 })) as unknown as Hello;
  } catch {
    return;
  } finally {
    await client.close();
  }
  refuseUnfit(host, hello);
  if (hello.setName === replicaSet) return;
  throw new StorageStartError(
    `MongoDB at ${host} is of the replica set ${JSON.stringify(hello.setName)}, not of the one that MONGODB_URL names`,
  );
}

/** By the driver's own view: mongoose announces nothing when it has heard nothing of the server for a while. */
function watch(connection: Connection, servers: string, logger: Logger): void {
  let away = false;
  connection.getClient().on('topologyDescriptionChanged', ({ newDescription }) => {
    const reachable = [...newDescription.servers.values()].some(({ isWritable }) => isWritable);
    if (reachable === !away) return;
    away = !reachable;
    if (away) logger.warn({ servers }, 'MongoDB is away');
    else logger.info({ servers }, 'MongoDB is back');
  });
  // Operations tell their callers; without a listener it would end the process.
  connection.on('error', () => undefined);
}
