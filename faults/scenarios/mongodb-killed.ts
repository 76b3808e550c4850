import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../run-scenario.js';

/** The store is away: nothing is acknowledged, submits wait in their streams. */
export const mongodbKilled: Scenario = {
  name: 'MongoDB: kill -9 and restart',
  async disturb(_, engines, random) {
    await engines.mongodb.kill9();
    await delay(3_000 * random());
    await engines.mongodb.restart();
  },
};
