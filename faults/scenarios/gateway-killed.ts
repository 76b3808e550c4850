import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../run-scenario.js';
import { anyOf } from './any-of.js';
import { PLAIN } from './setups.js';

/** Half of all connections are cut; their users come back by the other gateway and retry what has no answer. */
export const gatewayKilled: Scenario = {
  name: 'gateway: kill -9',
  setup: PLAIN,
  async disturb({ cluster }, random) {
    const victim = anyOf(cluster.of('gateway'), random);
    await victim.process.end('SIGKILL');
    await delay(1_500 * random());
    await cluster.restart(victim);
  },
};
