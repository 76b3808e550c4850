import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
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

/**
 * That of all test files which one worker of jest runs, since starting it costs most of what a short test costs. The
 * first file that asks has it started by a process of its own, which stops it when the worker has ended.
 */
export async function backOfWorker(): Promise<Back> {
  const place = join(tmpdir(), `starling-test-back-${process.pid}.json`);
  return keptAt(place) ?? (await keepAt(place));
}

/** Where the keeper says what went wrong; gone when nothing did. */
export function errorsOf(place: string): string {
  return `${place}.errors`;
}

function keptAt(place: string): Back | null {
  try {
    const back = JSON.parse(readFileSync(place, 'utf8')) as KeptBack;
    process.kill(back.keeper, 0);
    return back;
  } catch {
    return null;
  }
}

async function keepAt(place: string): Promise<Back> {
  const main = resolve('libs/testing/src/starling/back/keep-back.ts');
  // Not this process's own: jest waits for the end of everything that could write to it.
  const errors = openSync(errorsOf(place), 'w');
  const keeper = spawn(process.execPath, ['--import', resolve('deploy/typescript.mjs'), main, place], {
    // It ends with its standard input. Ctrl-C in a terminal is not for it: the gateways go first.
    stdio: ['pipe', 'ignore', errors],
    detached: true,
  });
  closeSync(errors);
  keeper.unref();
  (keeper.stdin as typeof keeper.stdin & { unref(): void }).unref();
  const isUp = () => {
    if (keeper.exitCode !== null) throw new Error(`no back: ${readFileSync(errorsOf(place), 'utf8')}`);
    return keptAt(place);
  };
  return until('the services that tests share', isUp, START_PATIENCE_MS);
}
