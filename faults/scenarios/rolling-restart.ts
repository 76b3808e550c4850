import type { Scenario } from '../run-scenario.js';
import { PLAIN } from './setups.js';

/** An update: each process is stopped in order by SIGTERM and replaced, one after the other, gateways last. */
export const rollingRestart: Scenario = {
  name: 'every process: SIGTERM and restart, one after the other',
  setup: PLAIN,
  async disturb({ cluster }) {
    for (const service of cluster.services.toReversed()) {
      const { code } = await service.process.end('SIGTERM', 30_000);
      if (code !== 0) throw service.process.error(`ended with code ${code} on SIGTERM`);
      await cluster.restart(service);
    }
  },
};
