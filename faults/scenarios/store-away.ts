import { setTimeout as delay } from 'node:timers/promises';
import { until } from '@starling/testing';
import { type Scenario, SENDS_PER_SECOND } from '../run-scenario.js';
import { type Stage, SUBMIT_DEADLINE_MS } from '../stage.js';
import { metricOf } from './metric-of.js';
import { PLAIN } from './setups.js';

/** Stands for the 30 s that an installation's deadline of 10 s would have it. */
const AWAY_MS = 3 * SUBMIT_DEADLINE_MS;
const DRAIN_PATIENCE_MS = 60_000;
/** Much less than what is sent meanwhile: what is kept waits in the streams, on disk. */
const GROWTH_MAX_MB = 150;

/**
 * Longer than submits wait: acknowledgements turn into refusals, memory stays bounded, and afterwards what waits is
 * stored faster than more comes.
 */
export const storeAway: Scenario = {
  name: 'MongoDB: away for longer than submits wait',
  setup: PLAIN,
  refusals: ['OUTCOME_UNKNOWN'],
  async disturb(stage) {
    const { mongodb } = stage.engines;
    const before = await residentMb(stage);
    await mongodb.kill9();
    await delay(AWAY_MS);
    const grownMb = (await residentMb(stage)) - before;
    if (grownMb > GROWTH_MAX_MB) throw new Error(`a process grew by ${grownMb} MB`);
    const waiting = await metricOf(stage, 'message-store', 'starling_store_backlog');
    await mongodb.restart();

    const dealtWithBefore = await dealtWith(stage);
    const begin = performance.now();
    await until('what waited to be stored', () => isDrained(stage), DRAIN_PATIENCE_MS);
    const seconds = (performance.now() - begin) / 1000;
    const drainedPerSecond = Math.round(((await dealtWith(stage)) - dealtWithBefore) / seconds);
    return {
      grownMb: Math.round(grownMb),
      waiting,
      drainMs: Math.round(1000 * seconds),
      drainedPerSecond,
      arrivingPerSecond: SENDS_PER_SECOND,
    };
  },
};

/** No more waits than arrives in half a second. */
async function isDrained(stage: Stage): Promise<boolean> {
  return (await metricOf(stage, 'message-store', 'starling_store_backlog')) < SENDS_PER_SECOND / 2;
}

async function dealtWith(stage: Stage): Promise<number> {
  const [stored, duplicates] = await Promise.all([
    metricOf(stage, 'message-store', 'starling_store_messages_total'),
    metricOf(stage, 'message-store', 'starling_store_duplicates_total'),
  ]);
  return stored + duplicates;
}

/** Of the process that holds the most. */
async function residentMb({ cluster }: Stage): Promise<number> {
  const busy = [...cluster.of('gateway'), ...cluster.of('message-store')];
  const bytes = await Promise.all(busy.map(({ process }) => process.residentBytes()));
  return Math.max(...bytes) / 2 ** 20;
}
