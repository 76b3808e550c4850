import { Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { CONFIG, type Config } from '@starling/config';
import { LOGGER, ReadinessChecks } from '@starling/observability';
import { connectRedis, type RedisClient } from '@starling/redis';
import type { Logger } from 'pino';
import { RedisSessionRegistry, SESSIONS_CONNECTION } from './redis-session-registry.js';
import { SESSION_REGISTRY } from './session-registry.js';

const REDIS = Symbol('Redis');

/** Sessions of the cluster profile. Needs, from global modules: CONFIG, LOGGER, ReadinessChecks. */
@Module({
  providers: [
    {
      provide: REDIS,
      inject: [CONFIG, LOGGER],
      useFactory: (config: Config, logger: Logger) =>
        connectRedis({ url: config.REDIS_URL, ...SESSIONS_CONNECTION }, logger),
    },
    {
      provide: SESSION_REGISTRY,
      inject: [REDIS, CONFIG],
      useFactory: (redis: RedisClient, config: Config) =>
        new RedisSessionRegistry(redis, config.SESSION_LEASE_MS, config.REDIS_PREFIX),
    },
  ],
  exports: [SESSION_REGISTRY],
})
export class RedisSessionsModule implements OnApplicationShutdown {
  constructor(
    @Inject(REDIS) private readonly redis: RedisClient,
    readiness: ReadinessChecks,
  ) {
    readiness.add('redis-sessions', async () => {
      await redis.ping();
    });
  }

  onApplicationShutdown(): void {
    this.redis.destroy();
  }
}
