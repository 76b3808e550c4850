import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../run-scenario.js';

/** Half of all connections are cut; their users come back by the other gateway and retry what has no answer. */
export const gatewayKilled: Scenario = {
  name: 'gateway: kill -9',
  async disturb(cluster, _, random) {
    const gateways = cluster.of('gateway');
    const victim = gateways[Math.floor(random() * gateways.length)]!;
    await victim.process.end('SIGKILL');
    await delay(1_500 * random());
    await cluster.restart(victim);
  },
};
