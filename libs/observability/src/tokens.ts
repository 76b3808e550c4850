/** A pino `Logger`. */
export const LOGGER = Symbol('Logger');

/** The prom-client `Registry` that GET /metrics shows. */
export const METRICS = Symbol('Metrics');
