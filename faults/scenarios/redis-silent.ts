import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../run-scenario.js';
import { WITH_LINES } from './setups.js';

/** Connections to Redis stay open, and nothing comes over them: nobody is told that room events are missing. */
export const redisSilent: Scenario = {
  name: 'Redis: silent',
  setup: WITH_LINES,
  async disturb({ lines }, random) {
    const all = [...lines.values()].map(({ redis }) => redis);
    for (const line of all) line.silence('from the engine');
    try {
      await delay(2_000 + 2_000 * random());
    } finally {
      for (const line of all) line.resume();
    }
  },
};
