import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { until } from '../../process/until.js';

/** Where to reach what stands behind gateways: engines, and a message-store, groups and presence at them. */
export interface Back {
  readonly natsUrl: string;
  readonly redisUrl: string;
  readonly mongoUrl: string;
}

export interface KeptBack extends Back {
  /** Of the process that keeps it, and ends when something of it has. */
  readonly keeper: number;
}

const START_PATIENCE_MS = 80_000;
const PLACE = join(tmpdir(), `starling-test-back-${process.pid}.json`);
/** By this test file. */
let isUsed = false;

/**
 * That of all test files which one worker of jest runs, since starting it costs most of what a short test costs. The
 * first file that asks has it started by a process of its own, which stops it when the worker has ended.
 */
export async function backOfWorker(): Promise<Back> {
  const back = kept() ?? (await keep());
  isUsed = true;
  return back;
}

/** Fails when something of it has ended under the tests of this file. */
export function expectBackOfWorkerAlive(): void {
  if (isUsed && kept() === null) throw new Error(`what tests share has ended: ${saidErrors()}`);
}

/** Where the keeper says what went wrong; gone when nothing did. */
export function errorsOf(place: string): string {
  return `${place}.errors`;
}

function saidErrors(): string {
  return existsSync(errorsOf(PLACE)) ? readFileSync(errorsOf(PLACE), 'utf8') : '';
}

function kept(): Back | null {
  try {
    const back = JSON.parse(readFileSync(PLACE, 'utf8')) as KeptBack;
    process.kill(back.keeper, 0);
    return back;
  } catch {
    return null;
  }
}

async function keep(): Promise<Back> {
  const main = resolve('libs/testing/src/starling/back/keep-back.ts');
  // Not this process's own: jest waits for the end of everything that could write to it.
  const errors = openSync(errorsOf(PLACE), 'w');
  const keeper = spawn(process.execPath, ['--import', resolve('deploy/typescript.mjs'), main, PLACE], {
    // It ends with its standard input. Ctrl-C in a terminal is not for it: the gateways go first.
    stdio: ['pipe', 'ignore', errors],
    detached: true,
  });
  closeSync(errors);
  keeper.unref();
  (keeper.stdin as typeof keeper.stdin & { unref(): void }).unref();
  const isUp = () => {
    if (keeper.exitCode !== null) throw new Error(`no back: ${saidErrors()}`);
    return kept();
  };
  return until('the services that tests share', isUp, START_PATIENCE_MS);
}
