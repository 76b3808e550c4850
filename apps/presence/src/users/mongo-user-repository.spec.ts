import { MongoDatabase } from '@starling/storage';
import { describeWithEngines, freshDatabase, startMongo, type Engine } from '@starling/testing';
import { pino } from 'pino';
import { migrateUsers } from './mongo-user-collection.js';
import { MongoUserRepository } from './mongo-user-repository.js';
import { userRepositoryContract } from './user-repository.contract.js';

const logger = pino({ level: 'silent' });

/** One server here. Elections, rollback and lag of a replica set cannot be tried without one of several members. */
describeWithEngines(['mongodb'], 'users in MongoDB', () => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await startMongo();
  }, 120_000);

  afterAll(() => engine.stop());

  userRepositoryContract('MongoDB', async () => {
    const url = freshDatabase(engine.url);
    let database = await MongoDatabase.connect(url, logger);
    await migrateUsers(database);
    return {
      repository: await MongoUserRepository.open(database),
      reopen: async () => {
        await database.close();
        database = await MongoDatabase.connect(url, logger);
        return MongoUserRepository.open(database);
      },
      stop: async () => {
        await database.connection.dropDatabase();
        await database.close();
      },
    };
  });
});
