import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../run-scenario.js';
import { PARTITION_LEASE_MS } from '../stage.js';
import { anyOf } from './any-of.js';
import { takeover } from './leadership.js';
import { PLAIN } from './setups.js';

/** A worker dies in the middle of a batch; the other leads its partitions once the lease is over. */
export const storeKilled: Scenario = {
  name: 'message-store: kill -9',
  setup: PLAIN,
  async disturb(stage, random) {
    const { cluster } = stage;
    const victim = anyOf(cluster.of('message-store'), random);
    await victim.process.end('SIGKILL');
    const takeoverMs = takeover(stage, victim.process);
    takeoverMs.catch(() => undefined);
    // Before, at or after the end of its lease.
    await delay(2 * PARTITION_LEASE_MS * random());
    await cluster.restart(victim);
    return { takeoverMs: await takeoverMs };
  },
};
