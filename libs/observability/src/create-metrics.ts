import { collectDefaultMetrics, Registry } from 'prom-client';

/** The process's metrics, with those of Node itself (memory, event loop, garbage collection) already in it. */
export function createMetrics(): Registry {
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics });
  return metrics;
}
