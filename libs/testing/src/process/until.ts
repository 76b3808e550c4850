import { setTimeout as delay } from 'node:timers/promises';

/** Longest time a test waits for anything that ought to happen at once; generous, since machines are shared. */
export const PATIENCE_MS = 15_000;

/**
 * Waits until `condition` gives something other than false, null or undefined, and resolves with it.
 * For things that announce nothing (an HTTP answer, a file); packets are waited for with `ChatClient.waitFor`.
 */
export async function until<T>(
  what: string,
  condition: () => Promise<T | false | null | undefined> | T | false | null | undefined,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const end = Date.now() + patienceMs;
  for (;;) {
    const result = await condition();
    if (result !== false && result !== null && result !== undefined) return result;
    if (Date.now() > end) throw new Error(`waited ${patienceMs} ms in vain for ${what}`);
    await delay(10);
  }
}
