import { setTimeout as delay } from 'node:timers/promises';
import { until } from '@starling/testing';
import type { Scenario } from '../run-scenario.js';
import { anyOf } from './any-of.js';
import { PLAIN } from './setups.js';

/** Who is logged in writes and reads on, and the other lets in who comes. */
export const presenceKilled: Scenario = {
  name: 'presence: kill -9',
  setup: PLAIN,
  async disturb({ cluster, starling }, random) {
    const victim = anyOf(cluster.of('presence'), random);
    const newcomer = await starling.connect(`newcomer while ${victim.process.pid} is dead`);
    await victim.process.end('SIGKILL');
    await until('the other to take a login', async () => (await newcomer.login())['success'] === true);
    await delay(2_000 * random());
    await cluster.restart(victim);
  },
};
