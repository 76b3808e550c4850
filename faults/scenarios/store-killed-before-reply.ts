import { setTimeout as delay } from 'node:timers/promises';
import { killedAt } from '../alterations/killed-at.js';
import type { Scenario } from '../run-scenario.js';
import { anyOf } from './any-of.js';
import { PLAIN } from './setups.js';

/** Nobody is told what the store has; retries find it, and gateways find what no room event told them of. */
export const storeKilledBeforeReply: Scenario = {
  name: 'message-store: killed between commit and reply',
  setup: PLAIN,
  async disturb(stage, random) {
    const { cluster } = stage;
    const victim = anyOf(cluster.of('message-store'), random);
    await victim.process.end('SIGTERM');
    const pass = 1 + Math.floor(40 * random());
    const killed = await cluster.restartUntilKilled(victim, killedAt('store between commit and reply', pass));
    stage.rememberProcesses();
    await delay(1_000 * random());
    await cluster.restart(killed);
  },
};
