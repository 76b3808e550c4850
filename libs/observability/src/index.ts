export * from './tokens.js';
export * from './create-logger.js';
export * from './nest-log.js';
export * from './create-metrics.js';
export * from './exit-on-crash.js';
export * from './readiness-checks.js';
export * from './observability.module.js';
