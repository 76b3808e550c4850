import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StorageStartError } from '../storage-errors.js';

/** Long enough for a killed process to be gone altogether when its successor starts. */
const WAIT_MS = 1000;
const BUSY = 5;

/**
 * Keeps a data folder for this process. The lock is SQLite's own file lock, held by an open transaction on a file
 * of its own: the operating system lets go of it when the process ends, however it ends, so none is ever left
 * behind. The pid beside it only words the refusal.
 */
export class DataDirLock {
  private constructor(private readonly database: DatabaseSync) {}

  static acquire(dataDir: string): DataDirLock {
    const pidFile = join(dataDir, 'starling.pid');
    const database = new DatabaseSync(join(dataDir, 'starling.lock'), { timeout: WAIT_MS });
    try {
      database.exec('PRAGMA journal_mode = MEMORY');
      database.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      if (((error as { errcode?: number }).errcode ?? 0) % 256 !== BUSY) throw error;
      throw new StorageStartError(
        `DATA_DIR ${dataDir} is in use by another process (pid ${readPid(pidFile)}); stop that one or set another DATA_DIR`,
      );
    }
    writeFileSync(pidFile, `${process.pid}\n`);
    return new DataDirLock(database);
  }

  release(): void {
    this.database.close();
  }
}

function readPid(file: string): string {
  try {
    return /^\d+/.exec(readFileSync(file, 'utf8'))?.[0] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}
