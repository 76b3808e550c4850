import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { once } from 'node:events';
import { SqliteDatabase } from './sqlite-database.js';
import {
  StatementError,
  StorageStartError,
  StorageUnavailableError,
  UniqueViolationError,
  UnmetExpectationError,
} from '../storage-errors.js';

let dataDir: string;
let database: SqliteDatabase;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'starling-storage-'));
  database = await SqliteDatabase.open(dataDir);
  await database.migrate('spec', [
    'CREATE TABLE birds (name TEXT PRIMARY KEY, wings INTEGER NOT NULL CHECK (wings >= 0)) STRICT',
  ]);
});

afterEach(async () => {
  await database.close();
  rmSync(dataDir, { recursive: true });
});

const insert = (name: string, wings: number | null) => ({
  sql: 'INSERT INTO birds VALUES (?, ?)',
  params: [name, wings],
});
const names = async (from = database): Promise<unknown[]> =>
  (await from.all('SELECT name FROM birds ORDER BY name')).map((row) => row['name']);

describe('transaction', () => {
  it('answers changes and returned rows of each statement', async () => {
    const results = await database.transaction([
      {
        sql: 'INSERT INTO birds VALUES (?, ?)',
        each: [
          ['wren', 2],
          ['robin', 2],
        ],
        expectChanges: 2,
      },
      {
        sql: 'UPDATE birds SET wings = wings + 1 WHERE name = ? RETURNING wings',
        params: ['wren'],
        expectChanges: 1,
      },
      { sql: 'SELECT count(*) AS birds FROM birds' },
    ]);
    expect(results).toEqual([
      { changes: 2, rows: [] },
      { changes: 1, rows: [{ wings: 3 }] },
      { changes: 1, rows: [{ birds: 2 }] },
    ]);
    expect(await names()).toEqual(['robin', 'wren']);
  });

  it('takes all back when an expectation is not met, and says which', async () => {
    const attempt = database.transaction([
      insert('wren', 2),
      { sql: 'UPDATE birds SET wings = 1 WHERE name = ?', params: ['nobody'], expectChanges: 1 },
    ]);
    const error = await attempt.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UnmetExpectationError);
    expect(error).toMatchObject({ statement: 1, expected: 1, actual: 0 });
    expect(await names()).toEqual([]);
  });

  it('names the constraint of a unique violation', async () => {
    await database.transaction([insert('wren', 2)]);
    const error = await database.transaction([insert('wren', 2)]).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UniqueViolationError);
    expect(error).toMatchObject({ constraint: 'birds.name' });
  });

  it('tells what can never be stored from what failed', async () => {
    for (const bad of [
      insert('kiwi', -1),
      insert('kiwi', null),
      insert('kiwi', 1.5),
      { sql: 'INSERT INTO nowhere VALUES (1)' },
      { sql: 'INSERT INTO birds VALUES (?, ?)', params: ['kiwi', undefined as unknown as null] },
    ]) {
      await expect(database.transaction([bad])).rejects.toBeInstanceOf(StatementError);
    }
    expect(await names()).toEqual([]);
  });

  it('lets one that fails in a group leave the others alone', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 100 }, (_, i) =>
        database.transaction([insert(`bird ${i}`, 2), insert(i % 10 === 0 ? `bird ${i}` : `twin ${i}`, 2)]),
      ),
    );
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(10);
    expect(await names()).toHaveLength(180);
  });

  it('shares one commit among those that wait', async () => {
    const walBytes = () => readFileSync(join(dataDir, 'starling.db-wal')).length;
    await database.transaction([insert('first', 2)]);
    const before = walBytes();
    await Promise.all(Array.from({ length: 100 }, (_, i) => database.transaction([insert(`bird ${i}`, 2)])));
    // One by one, each would have written its page of the table and of the index: 200 frames of 4 KiB.
    expect(walBytes() - before).toBeLessThan(40 * 4096);
  });

  it('takes effect in the order of the calls', async () => {
    await database.transaction([insert('swift', 0)]);
    const seen = await Promise.all(
      Array.from({ length: 50 }, () =>
        database.transaction([{ sql: 'UPDATE birds SET wings = wings + 1 RETURNING wings' }]),
      ),
    );
    expect(seen.map(([result]) => result?.rows[0]?.['wings'])).toEqual(
      Array.from({ length: 50 }, (_, i) => i + 1),
    );
  });

  it('keeps any text as it was', async () => {
    const text = 'emoji 🐦 nul \0 quote \' "';
    await database.transaction([insert(text, 2)]);
    expect(await database.all('SELECT * FROM birds WHERE name = ?', [text])).toEqual([
      { name: text, wings: 2 },
    ]);
  });

  it('fails the whole group when the commit fails, and works again after', async () => {
    await database.migrate('spec-late', [
      `CREATE TABLE nests (bird TEXT REFERENCES birds (name) DEFERRABLE INITIALLY DEFERRED) STRICT`,
    ]);
    // A deferred foreign key is checked by COMMIT itself.
    const outcomes = await Promise.allSettled([
      database.transaction([insert('wren', 2)]),
      database.transaction([{ sql: 'INSERT INTO nests VALUES (?)', params: ['nobody'] }]),
    ]);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(StorageUnavailableError) });
    }
    expect(await names()).toEqual([]);
    await database.transaction([insert('robin', 2)]);
    expect(await names()).toEqual(['robin']);
  });
});

describe('migrate', () => {
  it('runs each step once, in order, per owner', async () => {
    const steps = ['CREATE TABLE eggs (n INTEGER) STRICT; INSERT INTO eggs VALUES (1)'];
    await database.migrate('eggs', steps);
    await database.migrate('eggs', steps);
    await database.migrate('eggs', [...steps, 'INSERT INTO eggs VALUES (2)']);
    expect(await database.all('SELECT n FROM eggs ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('leaves nothing of a step that fails', async () => {
    const broken = ['CREATE TABLE eggs (n INTEGER) STRICT; INSERT INTO nowhere VALUES (1)'];
    await expect(database.migrate('eggs', broken)).rejects.toBeInstanceOf(StorageStartError);
    await database.migrate('eggs', ['CREATE TABLE eggs (n INTEGER) STRICT']);
  });

  it('refuses tables of a newer program', async () => {
    await database.migrate('eggs', ['SELECT 1', 'SELECT 1']);
    await expect(database.migrate('eggs', ['SELECT 1'])).rejects.toThrow('eggs have version 2');
  });
});

describe('close', () => {
  it('finishes what was called before and refuses what comes after', async () => {
    const writes = Array.from({ length: 1200 }, (_, i) => database.transaction([insert(`bird ${i}`, 2)]));
    const closing = database.close();
    await expect(database.all('SELECT 1')).rejects.toBeInstanceOf(StorageUnavailableError);
    await expect(database.transaction([])).rejects.toBeInstanceOf(StorageUnavailableError);
    await closing;
    await Promise.all(writes);
    database = await SqliteDatabase.open(dataDir);
    expect(await names()).toHaveLength(1200);
  });
});

describe('a storage thread that ends by itself', () => {
  it('fails what waits and what comes, and leaves the folder to the next opener', async () => {
    await database.transaction([insert('wren', 2)]);
    const waiting = database.transaction([insert('robin', 2)]);
    const end = expect(waiting).rejects.toBeInstanceOf(StorageUnavailableError);
    await database['writer']['worker'].terminate();
    await end;
    await expect(database.transaction([insert('owl', 2)])).rejects.toBeInstanceOf(StorageUnavailableError);
    expect(await names()).toContain('wren');
    await database.close();
    database = await SqliteDatabase.open(dataDir);
    await database.transaction([insert('owl', 2)]);
    expect(await names()).toContain('owl');
  });
});

/** Another process that opens the same folder and stays until it is told to end. */
function opener(): { child: ReturnType<typeof spawn>; firstLine: Promise<string> } {
  const program = `
    const { DatabaseSync } = require('node:sqlite');
    const d = new DatabaseSync(${JSON.stringify(join(dataDir, 'starling.lock'))}, { timeout: 0 });
    d.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    require('node:fs').writeFileSync(${JSON.stringify(join(dataDir, 'starling.pid'))}, process.pid + '\\n');
    console.log('locked');
    process.stdin.resume();`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['pipe', 'pipe', 'ignore'] });
  const firstLine = once(child.stdout, 'data').then(([data]) => String(data).trim());
  return { child, firstLine };
}

describe('the folder', () => {
  it('is refused to a second opener, naming DATA_DIR and the pid', async () => {
    await expect(SqliteDatabase.open(dataDir)).rejects.toThrow(
      `DATA_DIR ${dataDir} is in use by another process (pid ${process.pid})`,
    );
  });

  it('is refused while another process holds it and free once that was killed', async () => {
    await database.close();
    const { child, firstLine } = opener();
    expect(await firstLine).toBe('locked');
    const error = await SqliteDatabase.open(dataDir).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StorageStartError);
    expect((error as Error).message).toContain(`(pid ${child.pid})`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    database = await SqliteDatabase.open(dataDir);
    expect(await names()).toEqual([]);
  });

  it('says so when it cannot be a folder', async () => {
    writeFileSync(join(dataDir, 'file'), '');
    await expect(SqliteDatabase.open(join(dataDir, 'file', 'data'))).rejects.toThrow(
      /^DATA_DIR .*cannot be used: ENOTDIR/,
    );
  });

  it('says so when nothing more can be written', async () => {
    const other = join(dataDir, 'other');
    const program = `import { SqliteDatabase } from '@starling/storage';
      await SqliteDatabase.open(${JSON.stringify(other)}).catch((error) => console.log(error.name, error.message));
      process.exit();`;
    // A limit of the process stands for the full disk: 8 blocks hold no database.
    const limited = `trap '' XFSZ; ulimit -f 8; exec "$@"`;
    const node = [
      process.execPath,
      '--import',
      './deploy/typescript.mjs',
      '--input-type=module',
      '--eval',
      program,
    ];
    const { stdout } = await promisify(execFile)('/bin/sh', ['-c', limited, 'limited', ...node]);
    expect(stdout).toMatch(/^StorageStartError DATA_DIR .*other cannot be used: .*(disk|full)/);
  });

  it('says so when its file is not a database, and does not keep the lock', async () => {
    const other = join(dataDir, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'starling.db'), 'not a database, whatever its name says'.repeat(100));
    const refused = /^DATA_DIR .*cannot be used: .*not a database/;
    await expect(SqliteDatabase.open(other)).rejects.toThrow(refused);
    await expect(SqliteDatabase.open(other)).rejects.toThrow(refused);
  });
});
