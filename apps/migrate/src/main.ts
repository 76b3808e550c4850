import 'reflect-metadata';
import { createLogger } from '@starling/observability';
import { readConfig } from '@starling/process';
import { MongoDatabase, StorageStartError } from '@starling/storage';
import { GroupsModule } from '../../groups/src/index.js';
import { MessageStoreModule } from '../../message-store/src/index.js';
import { PresenceModule } from '../../presence/src/index.js';

/**
 * Prepares the database of MONGODB_URL for this version: once before the first start and at every update, before the
 * new processes. Those wait for it.
 */
const config = readConfig();
const logger = createLogger(config);
try {
  const database = await MongoDatabase.connect(config.MONGODB_URL, logger);
  await PresenceModule.migrate(database);
  await GroupsModule.migrate(database);
  await MessageStoreModule.migrate(database, config);
  await database.close();
  logger.info('migrated');
} catch (error) {
  if (error instanceof StorageStartError) logger.fatal(error.message);
  else logger.fatal({ err: error }, 'cannot migrate');
  process.exit(1);
}
