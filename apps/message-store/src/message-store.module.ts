import { Module, type DynamicModule } from '@nestjs/common';
import { CONFIG, type Config } from '@starling/config';
import { MONGODB, SQLITE, type MongoDatabase, type SqliteDatabase } from '@starling/storage';
import { Delivery } from './delivery/delivery.js';
import { MembershipView } from './membership/membership-view.js';
import { MessageStoreController } from './message-store.controller.js';
import { PartitionLeaders } from './partitions/partition-leaders.js';
import { StoreMetrics } from './partitions/store-metrics.js';
import { HistoryService } from './reading/history.service.js';
import { SyncService } from './reading/sync.service.js';
import { TouchedService } from './reading/touched.service.js';
import { MESSAGE_REPOSITORY, type MessageRepository } from './repository/message-repository.js';

/**
 * Needs, from global modules: CONFIG, SQLITE or MONGODB, SUBMIT_LOG, MEMBERSHIP_FOLLOWER, REQUEST_CLIENT, ROOM_EMITTER, LOGGER,
 * METRICS, ReadinessChecks.
 */
@Module({
  controllers: [MessageStoreController],
  providers: [
    PartitionLeaders,
    MembershipView,
    Delivery,
    StoreMetrics,
    HistoryService,
    SyncService,
    TouchedService,
  ],
})
export class MessageStoreModule {
  static onSqlite(): DynamicModule {
    return on(SQLITE, async (database: SqliteDatabase, { PARTITIONS }: Config) => {
      const { SqliteMessageRepository } = await import('./repository/sqlite-message-repository.js');
      return SqliteMessageRepository.open(database, PARTITIONS);
    });
  }

  static onMongodb(): DynamicModule {
    return on(MONGODB, async (database: MongoDatabase, { PARTITIONS }: Config) => {
      const { MongoMessageRepository } = await import('./repository/mongo-message-repository.js');
      return MongoMessageRepository.open(database, PARTITIONS);
    });
  }

  /** Prepares MongoDB for `onMongodb`. */
  static async migrate(database: MongoDatabase, { PARTITIONS }: Config): Promise<void> {
    const { migrateMessages } = await import('./repository/mongo-message-collections.js');
    await migrateMessages(database, PARTITIONS);
  }
}

/** A repository is loaded where it is used: mongoose alone takes 40 MB. */
function on<Database>(
  database: symbol,
  open: (database: Database, config: Config) => Promise<MessageRepository>,
): DynamicModule {
  return {
    module: MessageStoreModule,
    providers: [{ provide: MESSAGE_REPOSITORY, inject: [database, CONFIG], useFactory: open }],
  };
}
