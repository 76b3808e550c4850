import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../run-scenario.js';
import { PARTITION_LEASE_MS } from '../stage.js';
import { anyOf } from './any-of.js';
import { takeover } from './leadership.js';
import { PLAIN } from './setups.js';
import { standStill } from './stand-still.js';

/** The other worker leads its partitions by the time it goes on, in the middle of a batch perhaps. */
export const storeStandsStill: Scenario = {
  name: 'message-store: SIGSTOP beyond the lease, SIGCONT',
  setup: PLAIN,
  async disturb(stage, random) {
    const { process } = anyOf(stage.cluster.of('message-store'), random);
    const takenOver = takeover(stage, process);
    await standStill(process, Promise.all([takenOver, delay(PARTITION_LEASE_MS * (1.3 + random()))]));
    return { takeoverMs: await takenOver };
  },
};
