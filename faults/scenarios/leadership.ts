import { type StartedProcess, until } from '@starling/testing';
import type { Stage } from '../stage.js';

/** The default of PARTITIONS. */
const PARTITIONS = 8;
const PATIENCE_MS = 60_000;

/**
 * Resolves, with the time it took in milliseconds, when message-stores other than the one given lead every partition,
 * those among them that were started meanwhile.
 */
export async function takeover({ cluster }: Stage, from: StartedProcess): Promise<number> {
  const begin = performance.now();
  const areLed = () => {
    const others = cluster.processes.filter((process) => process !== from && process.exit === null);
    return new Set(others.flatMap((process) => [...ledBy(process)])).size === PARTITIONS;
  };
  await until('every partition to be led', areLed, PATIENCE_MS);
  return Math.round(performance.now() - begin);
}

function ledBy({ logs }: StartedProcess): Set<unknown> {
  const led = new Set<unknown>();
  for (const { msg, partition } of logs) {
    if (msg === 'leads the partition') led.add(partition);
    else if (msg === 'leads the partition no more' || msg === 'the lease of a partition is lost')
      led.delete(partition);
  }
  return led;
}
