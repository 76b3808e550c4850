import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../run-scenario.js';
import { WITH_LINES } from './setups.js';

/** Submits are held and sent again, in order; leases may end, and memberships are caught up with. */
export const natsCut: Scenario = {
  name: 'NATS: connections cut, then refused',
  setup: WITH_LINES,
  async disturb({ lines }, random) {
    const all = [...lines.values()].map(({ nats }) => nats);
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
