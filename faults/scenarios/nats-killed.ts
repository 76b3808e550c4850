import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../run-scenario.js';
import { PLAIN } from './setups.js';

/** NATS is away: submits are held, leases and memberships stand still. */
export const natsKilled: Scenario = {
  name: 'nats-server: kill -9 and restart',
  setup: PLAIN,
  async disturb({ engines: { nats } }, random) {
    await nats.kill9();
    await delay(2_000 * random());
    await nats.restart();
  },
};
