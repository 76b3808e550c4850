/** What Starling's cluster profile needs beside its own processes. */
export const ENGINE_NAMES = ['nats', 'redis', 'mongodb'] as const;

export type EngineName = (typeof ENGINE_NAMES)[number];

/** The variable that names an engine which runs already. Tests then start none of their own. */
export const URL_VARIABLE = {
  nats: 'NATS_URL',
  redis: 'REDIS_URL',
  mongodb: 'MONGODB_URL',
} as const satisfies Record<EngineName, string>;
