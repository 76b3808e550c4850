import { setTimeout as delay } from 'node:timers/promises';
import type { Output } from './output.js';

const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 10_000;
/** After so long without dying, the next death is the first again. */
const STEADY_MS = 60_000;

/**
 * One life after another, until `stopping`; the more often it died of late, the longer nobody tries. `live` resolves
 * at the end of a life with what became of it, also when it could not begin.
 */
export async function keepRunning(
  live: () => Promise<string>,
  output: Output,
  stopping: AbortSignal,
): Promise<void> {
  let backoffMs = FIRST_BACKOFF_MS;
  while (!stopping.aborted) {
    const startedAt = Date.now();
    const end = await live();
    if (stopping.aborted) return;
    if (Date.now() - startedAt > STEADY_MS) backoffMs = FIRST_BACKOFF_MS;
    output.tell(`${end}; again in ${backoffMs} ms`);
    await delay(backoffMs, undefined, { signal: stopping }).catch(() => undefined);
    backoffMs = Math.min(2 * backoffMs, LONGEST_BACKOFF_MS);
  }
}
