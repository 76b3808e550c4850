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

/** Rejects, naming what was waited for, when the promise takes longer than tests wait. */
export async function withPatience<T>(
  promise: Promise<T>,
  what: string,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${patienceMs} ms in vain for ${what}`)), patienceMs);
  });
  try {
    return await Promise.race([promise, tooLong]);
  } finally {
    clearTimeout(timer);
  }
}
