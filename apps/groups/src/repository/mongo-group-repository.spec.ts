import { MongoDatabase } from '@starling/storage';
import { describeWithEngines, freshDatabase, startMongo, type Engine } from '@starling/testing';
import { pino } from 'pino';
import { groupRepositoryContract } from './group-repository.contract.js';
import type { GroupChange } from './group-repository.js';
import { migrateGroups, OUTBOX } from './mongo-group-collections.js';
import { MongoGroupRepository } from './mongo-group-repository.js';

const logger = pino({ level: 'silent' });

/** One server here. Elections, rollback and lag of a replica set cannot be tried without one of several members. */
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

  it('changes a group in which somebody died in the middle of a change', async () => {
    const url = freshDatabase(engine.url);
    const [dying, next] = [
      await MongoDatabase.connect(url, logger),
      await MongoDatabase.connect(url, logger),
    ];
    await migrateGroups(dying);
    const join = (userId: string, from: number): GroupChange => ({
      groupId: 'sea',
      from,
      policy: 'open',
      events: [{ groupId: 'sea', version: from + 1, change: 'added', userId, role: 'member', by: userId }],
    });
    const repository = await MongoGroupRepository.open(next);
    expect(await repository.commit(join('ann', 0))).toBe(true);

    // Behind its first write, as far as the server knows.
    const standing = Promise.withResolvers<void>();
    const collection = jest.spyOn(dying, 'collection').mockImplementation((declared) => {
      if (declared.name !== OUTBOX.name) return dying.connection.db!.collection(declared.name);
      standing.resolve();
      return { insertMany: () => new Promise(() => undefined) } as never;
    });
    void (await MongoGroupRepository.open(dying)).commit(join('ben', 1));
    await standing.promise;
    const run = jest.spyOn(dying, 'run').mockReturnValue(new Promise(() => undefined));
    expect(await repository.commit(join('cem', 1))).toBe(true);

    collection.mockRestore();
    run.mockRestore();
    await next.connection.dropDatabase();
    await next.close();
    await dying.close();
  });
});
