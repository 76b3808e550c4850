import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../run-scenario.js';
import { SESSION_LEASE_MS } from '../stage.js';
import { PLAIN } from './setups.js';
import { standStill } from './stand-still.js';

/** All of them, so that leases can be renewed nowhere: those must not end. */
export const presenceStandsStill: Scenario = {
  name: 'presence: SIGSTOP beyond the lease, SIGCONT',
  setup: PLAIN,
  async disturb({ cluster }, random) {
    const all = cluster.of('presence').map(({ process }) => ({ process, before: process.logs.length }));
    const ms = SESSION_LEASE_MS * (1.3 + random());
    await Promise.all(all.map(({ process }) => standStill(process, delay(ms))));
    // By then they have looked for leases that are over, and more than once.
    await delay(SESSION_LEASE_MS);
    const logs = all.flatMap(({ process, before }) => process.logs.slice(before));
    const ended = logs.find(({ msg }) => msg?.startsWith('sessions ended'));
    if (ended) throw new Error(`users were shown offline: ${JSON.stringify(ended)}`);
  },
};
