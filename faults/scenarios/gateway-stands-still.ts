import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../run-scenario.js';
import { SESSION_LEASE_MS } from '../stage.js';
import { anyOf } from './any-of.js';
import { PLAIN } from './setups.js';
import { standStill } from './stand-still.js';

/** Its users hear nothing, and are shown everything when it goes on; presence has ended their sessions by then. */
export const gatewayStandsStill: Scenario = {
  name: 'gateway: SIGSTOP beyond the lease, SIGCONT',
  setup: PLAIN,
  disturb: ({ cluster }, random) =>
    standStill(anyOf(cluster.of('gateway'), random).process, delay(SESSION_LEASE_MS * (1.3 + random()))),
};
