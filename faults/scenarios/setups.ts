import type { Setup } from '../stage.js';

export const PLAIN: Setup = { name: 'plain' };

/** Connections to NATS and Redis can be disturbed, process by process, while the engines are well. */
export const WITH_LINES: Setup = { name: 'with lines', lines: true };

/** Few messages fill the streams, and gateways give up on them soon. */
export const SMALL_LOGS: Setup = {
  name: 'small logs',
  env: { PARTITIONS: '2', SUBMIT_LOG_MAX: '60', SUBMIT_DEADLINE_MS: '1000' },
};
