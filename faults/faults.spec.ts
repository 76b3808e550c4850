import { describeWithOwnEngines } from '@starling/testing';
import { rowOf, TABLE_HEAD } from './outcome.js';
import { SCENARIOS } from './scenarios.js';
import { Stages } from './stages.js';

const RUN_PATIENCE_MS = 240_000;
const SEED = Number(process.env['FAULTS_SEED'] ?? 1);

/** Each scenario once, with the seed of `FAULTS_SEED`; `npm run faults` runs them with many. */
describeWithOwnEngines(['nats', 'redis', 'mongodb'], 'a cluster under load', () => {
  const stages = new Stages('data/faults');

  beforeAll(() => void process.stdout.write(`${TABLE_HEAD}\n`));
  afterAll(() => stages.close(), RUN_PATIENCE_MS);

  it.each(SCENARIOS)(
    'keeps its promises: $name',
    async (scenario) => {
      const outcome = await stages.play(scenario, SEED);
      process.stdout.write(`${rowOf(outcome)}\n`);
      expect(outcome.verdicts).toEqual([]);
      // Or the test would have shown little.
      expect(outcome.deliveries).toBeGreaterThan(5 * outcome.sends);
    },
    RUN_PATIENCE_MS,
  );
});
