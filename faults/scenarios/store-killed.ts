import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../run-scenario.js';

/** A worker dies in the middle of a batch; the other leads its partitions once the lease is over. */
export const storeKilled: Scenario = {
  name: 'message-store: kill -9',
  async disturb(cluster, _, random) {
    const stores = cluster.of('message-store');
    const victim = stores[Math.floor(random() * stores.length)]!;
    await victim.process.end('SIGKILL');
    // Before, at or after the end of its lease.
    await delay(3_000 * random());
    await cluster.restart(victim);
  },
};
