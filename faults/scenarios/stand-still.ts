import { setTimeout as delay } from 'node:timers/promises';
import type { StartedProcess } from '@starling/testing';

/** SIGSTOP, and SIGCONT after the time: connections stay open, and nothing is done or answered. */
export async function standStill({ pid }: StartedProcess, ms: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  try {
    await delay(ms);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}
