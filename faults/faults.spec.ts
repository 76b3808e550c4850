import { describeWithOwnEngines } from '@starling/testing';
import { runScenario } from './run-scenario.js';
import { SCENARIOS } from './scenarios.js';

/** Each scenario once; `npm run faults` runs them with many seeds. */
describeWithOwnEngines(['nats', 'redis', 'mongodb'], 'a cluster under load', () => {
  it.each(SCENARIOS)(
    'keeps its promises: $name',
    async (scenario) => {
      const outcome = await runScenario(scenario, 1);
      expect(outcome.verdicts).toEqual([]);
      // Or the test would have shown little.
      expect(outcome.sends).toBeGreaterThan(500);
      expect(outcome.deliveries).toBeGreaterThan(5 * outcome.sends);
    },
    240_000,
  );
});
