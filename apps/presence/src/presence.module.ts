import { Module, type DynamicModule } from '@nestjs/common';
import { CONFIG, type Config } from '@starling/config';
import { MONGODB, SQLITE, type MongoDatabase, type SqliteDatabase } from '@starling/storage';
import { PresenceController } from './presence.controller.js';
import { InMemorySessionRegistry } from './sessions/in-memory-session-registry.js';
import { SessionMetrics } from './sessions/session-metrics.js';
import { SESSION_REGISTRY } from './sessions/session-registry.js';
import { SessionsService } from './sessions/sessions.service.js';
import { USER_REPOSITORY, type UserRepository } from './users/user-repository.js';
import { UsersService } from './users/users.service.js';

/** Needs, from global modules: CONFIG, SQLITE or MONGODB, LOGGER, METRICS. */
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
  ],
})
export class PresenceModule {
  static onSqlite(): DynamicModule {
    return on(SQLITE, async (database: SqliteDatabase) => {
      const { SqliteUserRepository } = await import('./users/sqlite-user-repository.js');
      return SqliteUserRepository.open(database);
    });
  }

  static onMongodb(): DynamicModule {
    return on(MONGODB, async (database: MongoDatabase) => {
      const { MongoUserRepository } = await import('./users/mongo-user-repository.js');
      return MongoUserRepository.open(database);
    });
  }

  /** Prepares MongoDB for `onMongodb`. */
  static async migrate(database: MongoDatabase): Promise<void> {
    const { migrateUsers } = await import('./users/mongo-user-collection.js');
    await migrateUsers(database);
  }
}

/** A repository is loaded where it is used: mongoose alone takes 40 MB. */
function on<Database>(
  database: symbol,
  open: (database: Database) => Promise<UserRepository>,
): DynamicModule {
  return {
    module: PresenceModule,
    providers: [{ provide: USER_REPOSITORY, inject: [database], useFactory: open }],
  };
}
