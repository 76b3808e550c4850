import type { StartedProcess } from '@starling/testing';

/** SIGSTOP, and SIGCONT once it is over: connections stay open, and nothing is done or answered. */
export async function standStill({ pid }: StartedProcess, over: Promise<unknown>): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  try {
    await over;
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}
