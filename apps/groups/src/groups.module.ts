import { Module } from '@nestjs/common';
import { SQLITE, type SqliteDatabase } from '@starling/storage';
import { GroupsController } from './groups.controller.js';
import { GroupsService } from './groups.service.js';
import { OutboxPublisher } from './outbox/outbox-publisher.js';
import { GROUP_REPOSITORY } from './repository/group-repository.js';
import { SqliteGroupRepository } from './repository/sqlite-group-repository.js';

/** Needs, from global modules: SQLITE, MEMBERSHIP_PUBLISHER, LOGGER. */
@Module({
  controllers: [GroupsController],
  providers: [
    GroupsService,
    OutboxPublisher,
    {
      provide: GROUP_REPOSITORY,
      inject: [SQLITE],
      useFactory: (database: SqliteDatabase) => SqliteGroupRepository.open(database),
    },
  ],
})
export class GroupsModule {}
