import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { until } from '@starling/testing';
import type { Scenario } from '../run-scenario.js';
import { SMALL_LOGS } from './setups.js';

const FULL_PATIENCE_MS = 60_000;

/** While the store is away the streams fill up: what they do not take is refused for certain, and nothing is lost. */
export const streamsFull: Scenario = {
  name: 'MongoDB: away until the streams are full',
  setup: SMALL_LOGS,
  refusals: ['NOT_ACCEPTED', 'OUTCOME_UNKNOWN'],
  async disturb({ engines: { mongodb, nats } }) {
    await mongodb.kill9();
    const connection = await connect({ servers: nats.url });
    try {
      const manager = await jetstreamManager(connection);
      let filled: string[] = [];
      const areFull = async () => {
        const streams = await manager.streams.list().next();
        const logs = streams.filter(({ config }) => config.name.startsWith('SUBMITS_'));
        filled = logs.map(({ state, config }) => `${config.name} ${state.messages} of ${config.max_msgs}`);
        return logs.length > 0 && logs.every(({ state, config }) => state.messages >= config.max_msgs);
      };
      const begin = performance.now();
      await until('the streams to be full', areFull, FULL_PATIENCE_MS).catch((error: Error) => {
        throw new Error(`${error.message}: ${filled.join(', ')}`);
      });
      return { fullAfterMs: Math.round(performance.now() - begin) };
    } finally {
      await connection.close();
      await mongodb.restart();
    }
  },
};
