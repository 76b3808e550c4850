import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../run-scenario.js';

/** NATS is away: submits are held, leases and memberships stand still. */
export const natsKilled: Scenario = {
  name: 'nats-server: kill -9 and restart',
  async disturb(_, engines, random) {
    await engines.nats.kill9();
    await delay(3_000 * random());
    await engines.nats.restart();
  },
};
