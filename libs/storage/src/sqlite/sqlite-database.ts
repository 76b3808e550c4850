import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { types } from 'node:util';
import { DataDirLock } from './data-dir-lock.js';
import { StatementError, StorageStartError, StorageUnavailableError } from '../storage-errors.js';
import { errorOf, StorageThread } from './storage-thread.js';
import type {
  PlainStatement,
  SqliteParams,
  SqliteRow,
  StatementResult,
  ThreadResult,
} from './thread-messages.js';

/** One statement of a transaction: run once with `params`, or once for each entry of `each`. */
export type SqliteStatement = { readonly sql: string; readonly expectChanges?: number } & (
  { readonly params?: SqliteParams } | { readonly each: readonly SqliteParams[] }
);

interface QueuedTransaction {
  readonly statements: readonly PlainStatement[];
  readonly resolve: (results: StatementResult[]) => void;
  readonly reject: (error: Error) => void;
}

/** Transactions that share one commit at most. */
const GROUP_MAX = 500;
/** Beyond these, callers are told at once instead of filling memory. */
const QUEUED_WRITES_MAX = 10_000;
const PENDING_READS_MAX = 10_000;

/**
 * The one SQLite file of a data folder, read and written by a thread each, so that no fsync ever holds up the
 * event loop. Every promise rejects with a `StorageError` only.
 *
 * Guarantees:
 * - a transaction resolves after it is on disk (WAL, synchronous FULL); every read begun after that sees it;
 * - transactions take effect in the order of the calls, each whole or not at all; those that wait while a
 *   commit is under way share the next one, and one that fails leaves the others alone;
 * - the folder belongs to this process until `close`.
 */
export class SqliteDatabase {
  private queue: QueuedTransaction[] = [];
  private writing: Promise<void> | null = null;
  private closed = false;
  private writer!: StorageThread;
  private reader!: StorageThread;

  private constructor(private readonly lock: DataDirLock) {}

  /** Creates the folder where needed. Rejects with `StorageStartError`: in use, not writable, full, not a database. */
  static async open(dataDir: string): Promise<SqliteDatabase> {
    const folder = resolve(dataDir);
    let lock: DataDirLock | null = null;
    try {
      mkdirSync(folder, { recursive: true });
      lock = DataDirLock.acquire(folder);
      const database = new SqliteDatabase(lock);
      await database.startThreads(join(folder, 'starling.db'));
      return database;
    } catch (error) {
      lock?.release();
      if (error instanceof StorageStartError) throw error;
      throw new StorageStartError(`DATA_DIR ${folder} cannot be used: ${(error as Error).message}`);
    }
  }

  /**
   * Brings an owner's tables up to date: step n of `steps` leads to version n. Steps are only ever appended. May be
   * called at every start.
   */
  async migrate(owner: string, steps: readonly string[]): Promise<void> {
    this.refuseWhenClosed();
    try {
      await this.writer.do({ kind: 'migrate', owner, steps });
    } catch (error) {
      throw new StorageStartError((error as Error).message);
    }
  }

  /** The rows of a SELECT. `Row` is what the caller knows of its columns; nothing checks it. */
  async all<Row extends object = SqliteRow>(sql: string, params: SqliteParams = []): Promise<Row[]> {
    this.refuseWhenClosed();
    if (this.reader.pending >= PENDING_READS_MAX)
      throw new StorageUnavailableError('too many reads are waiting');
    return this.reader.do({ kind: 'read', sql, params });
  }

  /** Runs the statements as one transaction; answers a result for each. */
  async transaction(statements: readonly SqliteStatement[]): Promise<StatementResult[]> {
    this.refuseWhenClosed();
    if (this.queue.length >= QUEUED_WRITES_MAX)
      throw new StorageUnavailableError('too many writes are waiting');
    const plain = statements.map(plainStatement);
    return new Promise((resolve, reject) => {
      this.queue.push({ statements: plain, resolve, reject });
      this.writing ??= this.writeQueue();
    });
  }

  /** Finishes what was called before, then lets go of the folder. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.writing;
    await this.reader.close();
    await this.writer.close();
    this.lock.release();
  }

  private async startThreads(file: string): Promise<void> {
    this.writer = await StorageThread.start({ file, role: 'writer' });
    try {
      this.reader = await StorageThread.start({ file, role: 'reader' });
    } catch (error) {
      await this.writer.close();
      throw error;
    }
  }

  /** One group after the other; what is called while a group is under way is the next group. */
  private async writeQueue(): Promise<void> {
    // Transactions called within this tick belong to the first group.
    await Promise.resolve();
    while (this.queue.length > 0) {
      const group = this.queue.splice(0, GROUP_MAX);
      try {
        const results = await this.writer.do<ThreadResult<StatementResult[]>[]>({
          kind: 'write',
          transactions: group.map(({ statements }) => statements),
        });
        results.forEach((result, index) => {
          if (result.ok) group[index]?.resolve(result.value);
          else group[index]?.reject(errorOf(result.failure));
        });
      } catch (error) {
        for (const { reject } of group) reject(error as Error);
      }
    }
    this.writing = null;
  }

  private refuseWhenClosed(): void {
    if (this.closed) throw new StorageUnavailableError('the database is closed');
  }
}

/** Checked here, so that a value no thread can be sent fails its own transaction and not its whole group. */
function plainStatement(statement: SqliteStatement): PlainStatement {
  const runs = 'each' in statement ? statement.each : [statement.params ?? []];
  for (const params of runs) {
    for (const value of params) {
      if (!isSqliteValue(value))
        throw new StatementError(`a ${typeof value} cannot be stored: ${statement.sql}`);
    }
  }
  return { sql: statement.sql, runs, expectChanges: statement.expectChanges ?? null };
}

function isSqliteValue(value: unknown): boolean {
  return (
    value === null ||
    typeof value === 'string' ||
    typeof value === 'number' ||
    typeof value === 'bigint' ||
    types.isUint8Array(value)
  );
}

export const SQLITE = Symbol('SqliteDatabase');
