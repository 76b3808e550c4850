/**
 * The entry of the two storage threads. Under test it runs from this very source by Node's type stripping, so
 * it must stay erasable TypeScript and import nothing but node: builtins and types.
 */
import { DatabaseSync } from 'node:sqlite';
import type { StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type {
  PlainStatement,
  SqliteParams,
  SqliteRow,
  StatementResult,
  ThreadAnswer,
  ThreadFailure,
  ThreadJob,
  ThreadResult,
  ThreadStart,
} from './thread-messages.js';

const BUSY_TIMEOUT_MS = 5000;
const CACHED_STATEMENTS = 500;

const CONSTRAINT = 19;
const UNIQUE_CONSTRAINTS = new Set([1555, 2067, 2579]);
/** Primary result codes that repeating the same statement will not change: ERROR, TOOBIG, MISMATCH, RANGE. */
const HOPELESS = new Set([1, 18, 20, 25]);

const start = workerData as ThreadStart;
const port = parentPort;
if (!port) throw new Error('this file runs as a worker thread');

interface CachedStatement {
  readonly statement: StatementSync;
  readonly returnsRows: boolean;
}

/** Least recently used first. */
const statements = new Map<string, CachedStatement>();
let database: DatabaseSync;

function open(): void {
  database = new DatabaseSync(start.file, {
    readOnly: start.role === 'reader',
    timeout: BUSY_TIMEOUT_MS,
    enableForeignKeyConstraints: true,
  });
  if (start.role === 'reader') return;
  database.exec('PRAGMA journal_mode = WAL');
  database.exec('PRAGMA synchronous = FULL');
  // A write at every start, so that a full or read-only disk refuses the start and not the first message.
  database.exec(`
    CREATE TABLE IF NOT EXISTS storage_schemas (owner TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS storage_starts (one INTEGER PRIMARY KEY CHECK (one = 1), count INTEGER NOT NULL) STRICT;
    INSERT INTO storage_starts VALUES (1, 1) ON CONFLICT (one) DO UPDATE SET count = count + 1;
  `);
}

function prepare(sql: string): CachedStatement {
  let cached = statements.get(sql);
  if (cached) {
    statements.delete(sql);
  } else {
    const statement = database.prepare(sql);
    cached = { statement, returnsRows: statement.columns().length > 0 };
    const oldest = statements.keys().next();
    if (statements.size >= CACHED_STATEMENTS && !oldest.done) statements.delete(oldest.value);
  }
  statements.set(sql, cached);
  return cached;
}

function read(sql: string, params: SqliteParams): SqliteRow[] {
  return prepare(sql).statement.all(...params);
}

function run({ sql, runs }: PlainStatement): StatementResult {
  const { statement, returnsRows } = prepare(sql);
  let changes = 0;
  const rows: SqliteRow[] = [];
  for (const params of runs) {
    if (returnsRows) {
      for (const row of statement.all(...params)) rows.push(row);
    } else {
      changes += Number(statement.run(...params).changes);
    }
  }
  return { changes: returnsRows ? rows.length : changes, rows };
}

class Unmet extends Error {
  readonly failure: ThreadFailure;
  constructor(failure: ThreadFailure) {
    super('unmet expectation');
    this.failure = failure;
  }
}

function runTransaction(transaction: readonly PlainStatement[]): StatementResult[] {
  return transaction.map((statement, index) => {
    const result = run(statement);
    const expected = statement.expectChanges;
    if (expected !== null && result.changes !== expected) {
      throw new Unmet({ kind: 'unmet', statement: index, expected, actual: result.changes });
    }
    return result;
  });
}

/**
 * Group commit: every waiting transaction in a savepoint of its own, one commit and so one fsync for all. One
 * that fails is undone alone; when the commit fails, or the engine gave the whole up, all fail.
 */
function write(transactions: readonly (readonly PlainStatement[])[]): ThreadResult<StatementResult[]>[] {
  try {
    database.exec('BEGIN IMMEDIATE');
    const results = transactions.map((transaction): ThreadResult<StatementResult[]> => {
      database.exec('SAVEPOINT one');
      try {
        const value = runTransaction(transaction);
        database.exec('RELEASE one');
        return { ok: true, value };
      } catch (error) {
        if (!database.isTransaction) throw error;
        database.exec('ROLLBACK TO one');
        database.exec('RELEASE one');
        return { ok: false, failure: failureOf(error) };
      }
    });
    database.exec('COMMIT');
    return results;
  } catch (error) {
    try {
      if (database.isTransaction) database.exec('ROLLBACK');
    } catch {
      // The next BEGIN reports it, if the engine is still in trouble.
    }
    const failure: ThreadFailure = { kind: 'unavailable', message: failureText(error) };
    return transactions.map(() => ({ ok: false, failure }));
  }
}

/** Each step in one transaction with its number, so that a crash leaves whole steps only. */
function migrate(owner: string, steps: readonly string[]): void {
  const [row] = read('SELECT version FROM storage_schemas WHERE owner = ?', [owner]);
  const version = Number(row?.['version'] ?? 0);
  if (version > steps.length) {
    throw new Error(
      `the tables of ${owner} have version ${version}, this program knows only ${steps.length}: they were written by a newer program`,
    );
  }
  steps.slice(version).forEach((step, index) => {
    database.exec('BEGIN IMMEDIATE');
    try {
      database.exec(step);
      prepare(
        'INSERT INTO storage_schemas VALUES (?, ?) ON CONFLICT (owner) DO UPDATE SET version = excluded.version',
      ).statement.run(owner, version + index + 1);
      database.exec('COMMIT');
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  });
}

function failureText(error: unknown): string {
  const { message, errstr, errcode } = error as { message: string; errstr?: string; errcode?: number };
  if (errcode === undefined) return message;
  return errstr === message ? `${message} (SQLite ${errcode})` : `${errstr}: ${message} (SQLite ${errcode})`;
}

function failureOf(error: unknown): ThreadFailure {
  if (error instanceof Unmet) return error.failure;
  const { code, errcode, message } = error as { code?: string; errcode?: number; message: string };
  if (errcode !== undefined && UNIQUE_CONSTRAINTS.has(errcode)) {
    return { kind: 'unique', constraint: message.replace(/^.*constraint failed: /i, '') };
  }
  const primary = errcode === undefined ? null : errcode & 0xff;
  const hopeless =
    primary === null ? code?.startsWith('ERR_') : primary === CONSTRAINT || HOPELESS.has(primary);
  return { kind: hopeless ? 'statement' : 'unavailable', message: failureText(error) };
}

function handle(job: ThreadJob): unknown {
  switch (job.kind) {
    case 'read':
      return read(job.sql, job.params);
    case 'write':
      return write(job.transactions);
    case 'migrate':
      return migrate(job.owner, job.steps);
    case 'close':
      statements.clear();
      return database.close();
  }
}

function answer(id: number, work: () => unknown): void {
  let result: ThreadResult<unknown>;
  try {
    result = { ok: true, value: work() };
  } catch (error) {
    result = { ok: false, failure: failureOf(error) };
  }
  port?.postMessage({ id, result } satisfies ThreadAnswer);
}

answer(0, open);
port.on('message', ({ id, job }: { id: number; job: ThreadJob }) => {
  answer(id, () => handle(job));
  if (job.kind === 'close') port.close();
});
