import { Module } from '@nestjs/common';
import { CONFIG, type Config } from '@starling/config';
import { SQLITE, type SqliteDatabase } from '@starling/storage';
import { PresenceController } from './presence.controller.js';
import { InMemorySessionRegistry } from './sessions/in-memory-session-registry.js';
import { SessionMetrics } from './sessions/session-metrics.js';
import { SESSION_REGISTRY } from './sessions/session-registry.js';
import { SessionsService } from './sessions/sessions.service.js';
import { SqliteUserRepository } from './users/sqlite-user-repository.js';
import { USER_REPOSITORY } from './users/user-repository.js';
import { UsersService } from './users/users.service.js';

/** Needs, from global modules: CONFIG, SQLITE, LOGGER, METRICS. */
@Module({
  controllers: [PresenceController],
  providers: [
    SessionsService,
    SessionMetrics,
    UsersService,
    {
      provide: SESSION_REGISTRY,
      inject: [CONFIG],
      useFactory: (config: Config) => new InMemorySessionRegistry(config.SESSION_LEASE_MS),
    },
    {
      provide: USER_REPOSITORY,
      inject: [SQLITE],
      useFactory: (database: SqliteDatabase) => SqliteUserRepository.open(database),
    },
  ],
})
export class PresenceModule {}
