import { setTimeout as delay } from 'node:timers/promises';
import { jetstreamManager, type JetStreamManager, type StreamState } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
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
/** The default of PARTITIONS. */
const PARTITIONS = 8;
/** Of the rate at which more arrives meanwhile. */
const DRAIN_MIN = 2;

/**
 * Longer than submits wait: acknowledgements turn into refusals, memory stays bounded, and afterwards what waits is
 * stored faster than more comes.
 */
export const storeAway: Scenario = {
  name: 'MongoDB: away for longer than submits wait',
  setup: PLAIN,
  refusals: ['OUTCOME_UNKNOWN'],
  async disturb(stage) {
    const { mongodb, nats } = stage.engines;
    const connection = await connect({ servers: nats.url });
    try {
      const manager = await jetstreamManager(connection);
      const before = await residentMb(stage);
      await mongodb.kill9();
      await delay(AWAY_MS);
      const grownMb = (await residentMb(stage)) - before;
      if (grownMb > GROWTH_MAX_MB) throw new Error(`a process grew by ${grownMb} MB`);
      const logs = await logsOf(manager);
      // The last one that was dealt with is kept.
      const waiting = logs.reduce((sum, { messages }) => sum + Math.max(0, messages - 1), 0);
      if (waiting === 0) throw new Error('nothing waited to be stored');
      await mongodb.restart();

      const dealtWithBefore = await dealtWith(stage);
      const dealtWithSince = async () => (await dealtWith(stage)) - dealtWithBefore;
      await until('the first to be stored', async () => (await dealtWithSince()) > 0, DRAIN_PATIENCE_MS);
      const begin = performance.now();
      // Whatever has come behind it.
      const isDrained = async () =>
        (await logsOf(manager)).every(({ first_seq }, i) => first_seq >= logs[i]!.last_seq);
      await until('what waited to be stored', isDrained, DRAIN_PATIENCE_MS);
      const seconds = (performance.now() - begin) / 1000;
      const drainedPerSecond = Math.round((await dealtWithSince()) / seconds);
      if (drainedPerSecond < DRAIN_MIN * SENDS_PER_SECOND) {
        throw new Error(`only ${drainedPerSecond} messages a second were stored while ${waiting} waited`);
      }
      return {
        grownMb: Math.round(grownMb),
        waiting,
        drainMs: Math.round(1000 * seconds),
        drainedPerSecond,
        arrivingPerSecond: SENDS_PER_SECOND,
      };
    } finally {
      await connection.close();
    }
  },
};

/** Not by metrics: a message-store says nothing of a partition that it cannot open while the store is away. */
async function logsOf(manager: JetStreamManager): Promise<StreamState[]> {
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => `SUBMITS_${partition}`);
  return Promise.all(partitions.map(async (name) => (await manager.streams.info(name)).state));
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
