import { Module } from '@nestjs/common';
import { CONFIG, type Config } from '@starling/config';
import { SQLITE, type SqliteDatabase } from '@starling/storage';
import { Delivery } from './delivery/delivery.js';
import { MembershipView } from './membership/membership-view.js';
import { MessageStoreController } from './message-store.controller.js';
import { PartitionLeaders } from './partitions/partition-leaders.js';
import { StoreMetrics } from './partitions/store-metrics.js';
import { HistoryService } from './reading/history.service.js';
import { SyncService } from './reading/sync.service.js';
import { TouchedService } from './reading/touched.service.js';
import { MESSAGE_REPOSITORY } from './repository/message-repository.js';
import { SqliteMessageRepository } from './repository/sqlite-message-repository.js';

/**
 * Needs, from global modules: CONFIG, SQLITE, SUBMIT_LOG, MEMBERSHIP_FOLLOWER, REQUEST_CLIENT, ROOM_EMITTER, LOGGER,
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
    {
      provide: MESSAGE_REPOSITORY,
      inject: [SQLITE, CONFIG],
      useFactory: (database: SqliteDatabase, config: Config) =>
        SqliteMessageRepository.open(database, config.PARTITIONS),
    },
  ],
})
export class MessageStoreModule {}
