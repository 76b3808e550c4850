import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../run-scenario.js';

/** Room events and sessions are gone: the feeds repair from the store, gateways register again. */
export const redisKilled: Scenario = {
  name: 'Redis: kill -9 and restart',
  async disturb(_, engines, random) {
    await engines.redis.kill9();
    await delay(3_000 * random());
    await engines.redis.restart();
  },
};
