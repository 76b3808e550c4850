import type { ClientSession } from 'mongoose';
import { sessionIdOf, type MongoDatabase } from './mongo-database.js';

/** Transactions that run into each other take much less. */
const BLOCKED_MS = 1_000;
const KNOWN_MS = 24 * 3_600_000;

/** A session in which somebody writes, so that others can end it. */
interface Writer {
  readonly _id: string;
  readonly knownAt: Date;
}

interface OwnSession {
  readonly session: ClientSession;
  knownAt: number;
}

/**
 * Transactions that write what other processes write, too. A process that dies in the middle of one leaves it open, and
 * what it wrote locked until the server gives it up (a minute by default). So the sessions of all writers are known,
 * and whoever has been blocked for a second ends those of all others: one that lives begins its transaction again.
 */
export class MongoWriters {
  private readonly free: OwnSession[] = [];
  private readonly ownIds = new Set<string>();
  private ending: Promise<void> | null = null;

  constructor(private readonly database: MongoDatabase) {}

  /** See `MongoDatabase.transaction`. */
  async transaction<T>(work: (session: ClientSession) => Promise<T>): Promise<T> {
    const own = await this.take();
    let begunAt = performance.now();
    let tries = 0;
    let isSound = false;
    try {
      const result = await this.database.transaction(async (session) => {
        if (tries++ > 0 && performance.now() - begunAt > BLOCKED_MS) {
          await this.endOthers();
          begunAt = performance.now();
        }
        return work(session);
      }, own.session);
      isSound = true;
      return result;
    } finally {
      if (isSound) this.free.push(own);
      else await this.drop(own);
    }
  }

  private async take(): Promise<OwnSession> {
    const own = this.free.pop() ?? { session: await this.database.startSession(), knownAt: 0 };
    try {
      // Half of its time is left, at least, when somebody may need it.
      if (Date.now() - own.knownAt > KNOWN_MS / 2) await this.makeKnown(own);
      return own;
    } catch (error) {
      await this.drop(own);
      throw error;
    }
  }

  private async makeKnown(own: OwnSession): Promise<void> {
    const knownAt = new Date();
    const _id = sessionIdOf(own.session);
    this.ownIds.add(_id);
    await this.database.run(() => this.writers().updateOne({ _id }, { $set: { knownAt } }, { upsert: true }));
    own.knownAt = knownAt.getTime();
  }

  private async drop({ session }: OwnSession): Promise<void> {
    if (session.id) this.ownIds.delete(sessionIdOf(session));
    await session.endSession();
  }

  /** One call for all who are blocked here. */
  private endOthers(): Promise<void> {
    this.ending ??= this.endThem().finally(() => (this.ending = null));
    return this.ending;
  }

  private async endThem(): Promise<void> {
    const old = new Date(Date.now() - KNOWN_MS);
    await this.database.run(() => this.writers().deleteMany({ knownAt: { $gt: new Date(0), $lt: old } }));
    const known = await this.database.run(() => this.writers().find().toArray());
    const others = known.map(({ _id }) => _id).filter((id) => !this.ownIds.has(id));
    this.database.logger.warn(
      { sessions: others.length },
      'a transaction is blocked: ending those of others',
    );
    if (others.length > 0) await this.database.killSessions(others);
  }

  private writers() {
    return this.database.connection.db!.collection<Writer>('writers');
  }
}
