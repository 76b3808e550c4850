import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { MONGODB, SQLITE, type MongoDatabase, type SqliteDatabase } from '@starling/storage';
import { PresenceController } from './presence.controller.js';
import { InMemorySessionsModule } from './sessions/in-memory-sessions.module.js';
import { RedisSessionsModule } from './sessions/redis-sessions.module.js';
import { SessionMetrics } from './sessions/session-metrics.js';
import { SessionsService } from './sessions/sessions.service.js';
import { USER_REPOSITORY, type UserRepository } from './users/user-repository.js';
import { UsersService } from './users/users.service.js';

/** Needs, from global modules: CONFIG, SQLITE or MONGODB, ROOM_EMITTER, LOGGER, METRICS, ReadinessChecks. */
@Module({
  controllers: [PresenceController],
  providers: [SessionsService, SessionMetrics, UsersService],
})
export class PresenceModule {
  /** Sessions are in memory. */
  static onSqlite(): DynamicModule {
    return on(InMemorySessionsModule, SQLITE, async (database: SqliteDatabase) => {
      const { SqliteUserRepository } = await import('./users/sqlite-user-repository.js');
      return SqliteUserRepository.open(database);
    });
  }

  /** Sessions are in Redis. */
  static onMongodb(): DynamicModule {
    return on(RedisSessionsModule, MONGODB, async (database: MongoDatabase) => {
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
  sessions: Type,
  database: symbol,
  open: (database: Database) => Promise<UserRepository>,
): DynamicModule {
  return {
    module: PresenceModule,
    imports: [sessions],
    providers: [{ provide: USER_REPOSITORY, inject: [database], useFactory: open }],
  };
}
