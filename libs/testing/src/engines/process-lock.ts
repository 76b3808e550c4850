import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const LOOK_AGAIN_MS = 100;
const WRITTEN_WITHIN_MS = 1_000;

/** Returns null when this process has the lock now, else the pid of the living process that has it. */
export function tryLock(path: string): number | null {
  mkdirSync(dirname(path), { recursive: true });
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' });
      return null;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = holderOf(path);
    if (holder !== null) return holder;
    rmSync(path, { force: true });
  }
}

export function unlock(path: string): void {
  rmSync(path, { force: true });
}

/**
 * Runs `act` while no other process runs one under the same path; waits for its turn, and takes over from a holder
 * that has died. Two that take over at the same instant may both run, so `act` must bear that.
 */
export function underLock<T>(path: string, act: () => T, waiting: (holder: number) => void): T {
  let told = false;
  for (let holder = tryLock(path); holder !== null; holder = tryLock(path)) {
    if (!told) waiting(holder);
    told = true;
    sleep(LOOK_AGAIN_MS);
  }
  try {
    return act();
  } finally {
    unlock(path);
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The pid of the living holder, or null when the lock is free or was left behind. */
function holderOf(path: string): number | null {
  try {
    const pid = Number(readFileSync(path, 'utf8'));
    // A lock without a pid was made this instant, and its holder is about to write it.
    const isNew = pid === 0 && Date.now() - statSync(path).mtimeMs < WRITTEN_WITHIN_MS;
    return isNew || (pid > 0 && isAlive(pid)) ? pid : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Blocks the thread: which engines there are must be known while a test file is read, where nothing can wait. */
function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
