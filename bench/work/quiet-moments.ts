import { setTimeout as delay } from 'node:timers/promises';
import { cpuMsOfMachine } from '../load/cpu-usage.js';
import type { Offered } from '../load/offer.js';
import { foreignCoresOf } from '../report/figures.js';

const LOOK_MS = 1_000;
const PATIENCE_MS = 60_000;
const TRIES = 20;

/**
 * Measures while others use at most so many cores: waits for such a moment, and measures again what was disturbed.
 * When its patience is over it takes what was disturbed least, and the tables tell by how much.
 */
export async function measureQuietly(cores: number, measure: () => Promise<Offered>): Promise<Offered> {
  const end = Date.now() + PATIENCE_MS;
  let best: Offered | null = null;
  for (let tried = 0; tried < TRIES; tried++) {
    while (Date.now() < end && (await coresInUse()) > cores) await delay(LOOK_MS);
    const offered = await measure();
    if (best === null || foreignCoresOf(offered) < foreignCoresOf(best)) best = offered;
    if (foreignCoresOf(best) <= cores || Date.now() >= end) break;
  }
  return best!;
}

async function coresInUse(): Promise<number> {
  const [before, at] = [cpuMsOfMachine(), performance.now()];
  await delay(LOOK_MS);
  return (cpuMsOfMachine() - before) / (performance.now() - at);
}
