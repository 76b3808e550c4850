import { StorageStartError, MongoDatabase } from '@starling/storage';
import { describeWithEngines, freshDatabase, startMongo, type Engine } from '@starling/testing';
import { pino } from 'pino';
import { messageRepositoryContract, PARTITIONS_OF_CONTRACT } from './message-repository.contract.js';
import { migrateMessages } from './mongo-message-collections.js';
import { MongoMessageRepository } from './mongo-message-repository.js';

const logger = pino({ level: 'silent' });

describeWithEngines(['mongodb'], 'a message store in MongoDB', () => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await startMongo();
  }, 120_000);

  afterAll(() => engine.stop());

  async function start() {
    const url = freshDatabase(engine.url);
    const databases = [await MongoDatabase.connect(url, logger)];
    await migrateMessages(databases[0]!, PARTITIONS_OF_CONTRACT);
    return {
      repository: await MongoMessageRepository.open(databases[0]!, PARTITIONS_OF_CONTRACT),
      reopen: async (partitions = PARTITIONS_OF_CONTRACT) => {
        const database = await MongoDatabase.connect(url, logger);
        databases.push(database);
        return MongoMessageRepository.open(database, partitions);
      },
      stop: async () => {
        await databases[0]?.connection.dropDatabase();
        for (const database of databases) await database.close();
      },
      database: () => databases[0]!,
    };
  }

  messageRepositoryContract('MongoDB', start);

  it('refuses to start with another number of partitions, naming PARTITIONS', async () => {
    const { reopen, stop, database } = await start();
    const message = 'PARTITIONS is 5, but the data was written with 3: set PARTITIONS=3';
    await expect(reopen(5)).rejects.toThrow(new StorageStartError(message));
    await expect(migrateMessages(database(), 5)).rejects.toThrow(new StorageStartError(message));
    await expect(reopen()).resolves.toBeDefined();
    await stop();
  });
});
