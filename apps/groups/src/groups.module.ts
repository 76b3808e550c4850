import { Module, type DynamicModule } from '@nestjs/common';
import { MONGODB, SQLITE, type MongoDatabase, type SqliteDatabase } from '@starling/storage';
import { GroupsController } from './groups.controller.js';
import { GroupsService } from './groups.service.js';
import { OutboxPublisher } from './outbox/outbox-publisher.js';
import { GROUP_REPOSITORY, type GroupRepository } from './repository/group-repository.js';

/** Needs, from global modules: SQLITE or MONGODB, MEMBERSHIP_PUBLISHER, LOGGER. */
@Module({
  controllers: [GroupsController],
  providers: [GroupsService, OutboxPublisher],
})
export class GroupsModule {
  static onSqlite(): DynamicModule {
    return on(SQLITE, async (database: SqliteDatabase) => {
      const { SqliteGroupRepository } = await import('./repository/sqlite-group-repository.js');
      return SqliteGroupRepository.open(database);
    });
  }

  static onMongodb(): DynamicModule {
    return on(MONGODB, async (database: MongoDatabase) => {
      const { MongoGroupRepository } = await import('./repository/mongo-group-repository.js');
      return MongoGroupRepository.open(database);
    });
  }

  /** Prepares MongoDB for `onMongodb`. */
  static async migrate(database: MongoDatabase): Promise<void> {
    const { migrateGroups } = await import('./repository/mongo-group-collections.js');
    await migrateGroups(database);
  }
}

/** A repository is loaded where it is used: mongoose alone takes 40 MB. */
function on<Database>(
  database: symbol,
  open: (database: Database) => Promise<GroupRepository>,
): DynamicModule {
  return {
    module: GroupsModule,
    providers: [{ provide: GROUP_REPOSITORY, inject: [database], useFactory: open }],
  };
}
