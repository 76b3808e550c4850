import type { ClientSession, Connection, Model, mongo } from 'mongoose';
import type { Logger } from 'pino';
import { StorageUnavailableError } from '../storage-errors.js';
import type { MongoCollection } from './mongo-collection.js';
import { connectMongo } from './mongo-connection.js';
import { storageErrorOf } from './mongo-errors.js';

/**
 * How long a transaction that runs into others, or into a lost connection, is begun again. Shorter than requests wait:
 * work for callers who have gone, and ask again, would only keep a slow server busy.
 */
const TRANSACTION_PATIENCE_MS = 4_000;

const TRANSACTION = {
  readConcern: { level: 'snapshot' },
  writeConcern: { w: 'majority', journal: true, wtimeoutMS: TRANSACTION_PATIENCE_MS },
  readPreference: 'primary',
} as const;

/**
 * A connection to MongoDB. Every promise rejects with a `StorageError`.
 *
 * Guarantees:
 * - what was written is journaled by a majority when its promise resolves, and every read begun after that sees it;
 * - a write that rejects with `StorageUnavailableError` may have taken effect, or take effect later.
 */
export class MongoDatabase {
  private constructor(
    readonly connection: Connection,
    readonly logger: Logger,
  ) {}

  /**
   * Waits for the server for as long as it takes, saying so once. Rejects with `StorageStartError` when what is there
   * can't be used: no transactions, another replica set, wrong password.
   */
  static async connect(url: string, logger: Logger): Promise<MongoDatabase> {
    return new MongoDatabase(await connectMongo(url, logger), logger);
  }

  model<Document>({ name, schema }: MongoCollection<Document>): Model<Document> {
    return this.connection.model<Document>(name, schema, name);
  }

  /** The same past mongoose, for batches: documents of our own making need no casting. */
  collection<Document extends object>({ name }: MongoCollection<Document>): mongo.Collection<Document> {
    return this.connection.db!.collection<Document>(name);
  }

  /** One operation, or several that need not be atomic. */
  async run<T>(work: () => PromiseLike<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw storageErrorOf(error);
    }
  }

  /**
   * Reads of one moment, and writes that take effect together. Give each operation the session. `work` is begun
   * again when it runs into another transaction, so it must itself read what it decides on; it may abort the
   * transaction and return what the caller should know. It must let errors of the driver pass. `session` is one of
   * the caller's, used by nobody else meanwhile.
   */
  async transaction<T>(work: (session: ClientSession) => Promise<T>, session?: ClientSession): Promise<T> {
    if (session === undefined) {
      const own = await this.startSession();
      try {
        return await this.transaction(work, own);
      } finally {
        await own.endSession();
      }
    }
    const end = Date.now() + TRANSACTION_PATIENCE_MS;
    let begun = 0;
    return this.run(() =>
      session.withTransaction(async () => {
        if (begun++ > 0 && Date.now() > end) throw new StorageUnavailableError('MongoDB: too many tries');
        const result = await work(session);
        // Here and not by the driver, which would repeat a commit of unknown outcome for two minutes.
        if (session.inTransaction()) await session.commitTransaction();
        return result;
      }, TRANSACTION),
    );
  }

  startSession(): Promise<ClientSession> {
    return this.run(() => this.connection.startSession());
  }

  /** Ends the sessions with those ids of whatever process, and with them transactions that they left open. */
  async killSessions(ids: readonly string[]): Promise<void> {
    const { mongo } = await import('mongoose');
    const killSessions = ids.map((id) => ({ id: new mongo.UUID(id) }));
    await this.run(() => this.connection.db!.command({ killSessions }));
  }

  /** For readiness: resolves when a primary answers. */
  async check(): Promise<void> {
    await this.run(() => this.connection.db!.command({ ping: 1 }));
  }

  async close(): Promise<void> {
    this.connection.getClient().removeAllListeners('topologyDescriptionChanged');
    await this.connection.close();
  }
}

/** By which `MongoDatabase.killSessions` finds it. */
export function sessionIdOf(session: ClientSession): string {
  const { id } = session;
  if (!id) throw new StorageUnavailableError('MongoDB: the session has ended');
  return id.id.toString('hex');
}

export const MONGODB = Symbol('MongoDatabase');
