import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../run-scenario.js';
import { PLAIN } from './setups.js';

/** Room events and sessions are gone: the feeds repair from the store, gateways register again. */
export const redisKilled: Scenario = {
  name: 'Redis: kill -9 and restart',
  setup: PLAIN,
  async disturb({ engines: { redis } }, random) {
    await redis.kill9();
    await delay(2_000 * random());
    await redis.restart();
  },
};
