import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../run-scenario.js';
import { anyOf } from './any-of.js';
import { PLAIN } from './setups.js';
import { standStill } from './stand-still.js';

/** Every second join or quit waits, and so do messages of users of whom message-store happens to ask it. */
export const groupsStandsStill: Scenario = {
  name: 'groups: SIGSTOP, SIGCONT',
  setup: PLAIN,
  disturb: ({ cluster }, random) =>
    standStill(anyOf(cluster.of('groups'), random).process, delay(2_000 + 2_000 * random())),
};
