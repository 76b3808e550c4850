import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../run-scenario.js';
import { PLAIN } from './setups.js';

/** The store is away: nothing is acknowledged, submits wait in their streams. */
export const mongodbKilled: Scenario = {
  name: 'MongoDB: kill -9 and restart',
  setup: PLAIN,
  async disturb({ engines: { mongodb } }, random) {
    await mongodb.kill9();
    await delay(2_000 * random());
    await mongodb.restart();
  },
};
