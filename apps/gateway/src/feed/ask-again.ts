import type { Logger } from 'pino';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2000;

/**
 * Asks until it is answered, with growing pauses; null when the answer is not wanted any more. For what must
 * not be given up while somebody waits for it.
 */
export async function askAgain<Answer>(
  ask: () => Promise<Answer>,
  isWanted: () => boolean,
  logger: Logger,
): Promise<Answer | null> {
  for (let attempt = 0; isWanted(); attempt++) {
    try {
      return await ask();
    } catch (error) {
      if (attempt === 0) logger.warn({ err: error }, 'asked in vain; asking again');
      await pause(pauseAfter(attempt));
    }
  }
  return null;
}

export function pauseAfter(attempt: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 10));
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
