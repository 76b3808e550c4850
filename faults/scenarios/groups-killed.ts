import { setTimeout as delay } from 'node:timers/promises';
import { until } from '@starling/testing';
import type { Scenario } from '../run-scenario.js';
import { anyOf } from './any-of.js';
import { PLAIN } from './setups.js';

/** One dies in the middle of joins and quits; the other takes them from then on, and publishes what the dead one left. */
export const groupsKilled: Scenario = {
  name: 'groups: kill -9',
  setup: PLAIN,
  async disturb({ cluster, starling }, random) {
    const victim = anyOf(cluster.of('groups'), random);
    const { pid } = victim.process;
    const newcomer = await starling.login(`newcomer while ${pid} is dead`);
    await victim.process.end('SIGKILL');
    const join = async () => (await newcomer.join(`group while ${pid} is dead`))['success'] === true;
    await until('the other to take a join', join);
    await delay(2_000 * random());
    await cluster.restart(victim);
  },
};
