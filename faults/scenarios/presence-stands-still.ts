import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../run-scenario.js';
import { SESSION_LEASE_MS } from '../stage.js';
import { anyOf } from './any-of.js';
import { PLAIN } from './setups.js';
import { standStill } from './stand-still.js';

/** Leases that nobody could renew meanwhile must not end. */
export const presenceStandsStill: Scenario = {
  name: 'presence: SIGSTOP beyond the lease, SIGCONT',
  setup: PLAIN,
  async disturb({ cluster }, random) {
    const { process } = anyOf(cluster.of('presence'), random);
    const before = process.logs.length;
    await standStill(process, SESSION_LEASE_MS * (1.3 + random()));
    // By then it has looked for leases that are over, and more than once.
    await delay(SESSION_LEASE_MS);
    const ended = process.logs.slice(before).find(({ msg }) => msg?.startsWith('sessions ended'));
    if (ended) throw new Error(`users were shown offline: ${JSON.stringify(ended)}`);
  },
};
