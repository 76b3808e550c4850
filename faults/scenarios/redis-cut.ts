import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../run-scenario.js';
import { WITH_LINES } from './setups.js';

/** Room events are dropped, also the last ones before it is quiet: the feeds repair from the store. */
export const redisCut: Scenario = {
  name: 'Redis: connections cut, then refused',
  setup: WITH_LINES,
  async disturb({ lines }, random) {
    const all = [...lines.values()].map(({ redis }) => redis);
    for (const line of all) {
      line.cut();
      await delay(400 * random());
    }
    for (const line of all) {
      line.refuse();
      line.cut();
    }
    await delay(1_000 + 2_000 * random());
    for (const line of all) line.accept();
  },
};
