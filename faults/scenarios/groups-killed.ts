import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../run-scenario.js';
import { anyOf } from './any-of.js';
import { PLAIN } from './setups.js';

/** Nobody joins or quits; who is a member already writes and reads on. */
export const groupsKilled: Scenario = {
  name: 'groups: kill -9',
  setup: PLAIN,
  async disturb({ cluster }, random) {
    const victim = anyOf(cluster.of('groups'), random);
    await victim.process.end('SIGKILL');
    await delay(2_000 * random());
    await cluster.restart(victim);
  },
};
