import { Module } from '@nestjs/common';
import { CONFIG, type Config } from '@starling/config';
import { InMemorySessionRegistry } from './in-memory-session-registry.js';
import { SESSION_REGISTRY } from './session-registry.js';

/** Sessions of the embedded profile. Needs, from global modules: CONFIG. */
@Module({
  providers: [
    {
      provide: SESSION_REGISTRY,
      inject: [CONFIG],
      useFactory: (config: Config) => new InMemorySessionRegistry(config.SESSION_LEASE_MS),
    },
  ],
  exports: [SESSION_REGISTRY],
})
export class InMemorySessionsModule {}
