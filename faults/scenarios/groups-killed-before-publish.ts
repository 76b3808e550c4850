import { setTimeout as delay } from 'node:timers/promises';
import { killedAt } from '../alterations/killed-at.js';
import type { Scenario } from '../run-scenario.js';
import { anyOf } from './any-of.js';
import { PLAIN } from './setups.js';

/** A change of a membership is committed, and published by the other process or the one that comes after. */
export const groupsKilledBeforePublish: Scenario = {
  name: 'groups: killed between commit and publish',
  setup: PLAIN,
  async disturb(stage, random) {
    const { cluster } = stage;
    const victim = anyOf(cluster.of('groups'), random);
    const others = cluster.of('groups').filter((service) => service !== victim);
    // All at once: or others might have taken all joins and quits of the run before the victim is back.
    await Promise.all([victim, ...others].map(({ process }) => process.end('SIGTERM')));
    const pass = 1 + Math.floor(10 * random());
    const [killed] = await Promise.all([
      cluster.restartUntilKilled(victim, killedAt('groups between commit and publish', pass)),
      ...others.map((other) => cluster.restart(other)),
    ]);
    stage.rememberProcesses();
    await delay(1_000 * random());
    await cluster.restart(killed);
  },
};
