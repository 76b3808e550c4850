import { MongoDatabase } from '@starling/storage';
import { describeWithEngines, freshDatabase, startMongo, type Engine } from '@starling/testing';
import { pino } from 'pino';
import { groupRepositoryContract } from './group-repository.contract.js';
import { migrateGroups } from './mongo-group-collections.js';
import { MongoGroupRepository } from './mongo-group-repository.js';

const logger = pino({ level: 'silent' });

describeWithEngines(['mongodb'], 'groups in MongoDB', () => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await startMongo();
  }, 120_000);

  afterAll(() => engine.stop());

  groupRepositoryContract('MongoDB', async () => {
    const url = freshDatabase(engine.url);
    let database = await MongoDatabase.connect(url, logger);
    await migrateGroups(database);
    return {
      repository: await MongoGroupRepository.open(database),
      reopen: async () => {
        await database.close();
        database = await MongoDatabase.connect(url, logger);
        return MongoGroupRepository.open(database);
      },
      stop: async () => {
        await database.connection.dropDatabase();
        await database.close();
      },
    };
  });
});
