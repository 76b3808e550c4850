import { randomUUID } from 'node:crypto';
import type { ClientSession } from 'mongoose';
import { sessionIdOf, type MongoDatabase } from './mongo-database.js';

/** Transactions that run into each other take much less. */
const BLOCKED_MS = 1_000;
const BEAT_MS = 500;
/** Whose beat has stood still for so long is dead, or stands still itself. */
const SILENT_MS = 1_500;
/** What was seen of the others is compared with what is seen now, unless it is older. */
const LOOK_KEPT_MS = 30_000;
const FORGOTTEN_MS = 24 * 3_600_000;

/** A process that writes, so that others can end its sessions. */
interface Writer {
  readonly _id: string;
  readonly sessions: readonly string[];
  /** Another one every half second while it has transactions under way. */
  readonly beat: string;
  readonly beatAt: Date;
}

interface Look {
  readonly at: number;
  readonly beats: ReadonlyMap<string, string>;
}

/**
 * Transactions that write what other processes write, too. A process that dies in the middle of one leaves it open, and
 * what it wrote locked until the server gives it up (a minute by default). So the sessions of all writers are known,
 * and their beats: whoever has been blocked for a second ends the sessions of those whose beat stands still. The living
 * are left alone, or a slow server would have them end each other for ever; one that only stood still begins its
 * transaction again.
 */
export class MongoWriters {
  private readonly id = randomUUID();
  private readonly free: ClientSession[] = [];
  private readonly sessionIds = new Set<string>();
  private underWay = 0;
  private begunSinceBeat = false;
  private beating: NodeJS.Timeout | null = null;
  private beatAt = -Infinity;
  private lastLook: Look | null = null;
  private ending: Promise<void> | null = null;

  constructor(private readonly database: MongoDatabase) {}

  /** See `MongoDatabase.transaction`. */
  async transaction<T>(work: (session: ClientSession) => Promise<T>): Promise<T> {
    this.underWay += 1;
    this.begunSinceBeat = true;
    this.beating ??= setInterval(() => this.beatWhileBusy(), BEAT_MS).unref();
    try {
      return await this.inSession(work, await this.take());
    } finally {
      this.underWay -= 1;
    }
  }

  private async inSession<T>(work: (session: ClientSession) => Promise<T>, own: ClientSession): Promise<T> {
    const begunAt = performance.now();
    let isSound = false;
    try {
      const result = await this.database.transaction(async (session) => {
        if (performance.now() - begunAt > BLOCKED_MS) await this.endSilent();
        return work(session);
      }, own);
      isSound = true;
      return result;
    } finally {
      if (isSound) this.free.push(own);
      else await this.drop(own);
    }
  }

  private beatWhileBusy(): void {
    if (this.underWay === 0 && !this.begunSinceBeat) {
      if (this.beating !== null) clearInterval(this.beating);
      this.beating = null;
      return;
    }
    this.begunSinceBeat = false;
    // One that fails is like one that was not due: the next one follows.
    this.beat().catch(() => undefined);
  }

  /** A session is known before anything is written in it. */
  private async take(): Promise<ClientSession> {
    const known = this.free.pop();
    if (known && Date.now() - this.beatAt < FORGOTTEN_MS / 2) return known;
    const session = known ?? (await this.database.startSession());
    this.sessionIds.add(sessionIdOf(session));
    try {
      await this.beat();
    } catch (error) {
      await this.drop(session);
      throw error;
    }
    return session;
  }

  private async drop(session: ClientSession): Promise<void> {
    if (session.id) this.sessionIds.delete(sessionIdOf(session));
    await session.endSession();
  }

  private async beat(): Promise<void> {
    const beatAt = new Date();
    const state = { sessions: [...this.sessionIds], beat: randomUUID(), beatAt };
    await this.database.run(() =>
      this.writers().updateOne({ _id: this.id }, { $set: state }, { upsert: true }),
    );
    this.beatAt = beatAt.getTime();
  }

  /** One call for all who are blocked here. */
  private endSilent(): Promise<void> {
    this.ending ??= this.endThem().finally(() => (this.ending = null));
    return this.ending;
  }

  private async endThem(): Promise<void> {
    const before = this.lastLook;
    const now = performance.now();
    if (before && now - before.at < SILENT_MS) return;
    const others = await this.database.run(() =>
      this.writers()
        .find({ _id: { $ne: this.id } })
        .toArray(),
    );
    this.lastLook = { at: now, beats: new Map(others.map(({ _id, beat }) => [_id, beat])) };
    if (!before || now - before.at > LOOK_KEPT_MS) return;
    const silent = others.filter(({ _id, beat }) => before.beats.get(_id) === beat);
    const sessions = silent.flatMap((writer) => writer.sessions);
    if (sessions.length > 0) {
      this.database.logger.warn(
        { processes: silent.length, sessions: sessions.length },
        'a transaction is blocked: ending those of processes that give no sign of life',
      );
      await this.database.killSessions(sessions);
    }
    await this.forget(silent);
  }

  /** A process that wrote nothing for a day, or what is left of one; it makes itself known with its next beat. */
  private async forget(silent: readonly Writer[]): Promise<void> {
    const old = Date.now() - FORGOTTEN_MS;
    const _ids = silent.filter(({ beatAt }) => beatAt.getTime() < old).map(({ _id }) => _id);
    if (_ids.length === 0) return;
    await this.database.run(() => this.writers().deleteMany({ _id: { $in: _ids } }));
  }

  private writers() {
    return this.database.connection.db!.collection<Writer>('writers');
  }
}
