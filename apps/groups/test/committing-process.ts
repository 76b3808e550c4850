import 'reflect-metadata';
import type { MembershipEvent, MembershipPublisher } from '@starling/bus';
import { SqliteDatabase } from '@starling/storage';
import { pino } from 'pino';
import { GroupsService } from '../src/groups.service.js';
import { OutboxPublisher } from '../src/outbox/outbox-publisher.js';
import { SqliteGroupRepository } from '../src/repository/sqlite-group-repository.js';

/**
 * Started by crash.spec.ts with a data folder and the moment at which it stands still, to be killed there:
 * `before-publish`, or `before-forgetting` what was published. It says so in its log.
 */
const [dataDir, moment] = process.argv.slice(2) as [string, 'before-publish' | 'before-forgetting'];
const logger = pino();
const forever = new Promise<never>(() => setInterval(() => {}, 1000));

const database = await SqliteDatabase.open(dataDir);
const repository = await SqliteGroupRepository.open(database);

const publisher: MembershipPublisher = {
  async publish(event: MembershipEvent) {
    if (moment === 'before-publish') {
      logger.info({ version: event.version }, 'standing still');
      await forever;
    }
    logger.info({ event }, 'published');
  },
};
if (moment === 'before-forgetting') {
  repository.forgetPublished = async () => {
    logger.info('standing still');
    await forever;
  };
}
const outbox = new OutboxPublisher(repository, publisher, logger);
await outbox.onModuleInit();
const groups = new GroupsService(repository, outbox);
await groups.join('g', 'ada', true);
logger.info('answered');
