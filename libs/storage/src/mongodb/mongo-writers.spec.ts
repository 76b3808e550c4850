import { describeWithEngines, freshDatabase, startMongo, type Engine } from '@starling/testing';
import { Schema, type ClientSession } from 'mongoose';
import { pino } from 'pino';
import { MONGO_SCHEMA, type MongoCollection } from './mongo-collection.js';
import { MongoDatabase } from './mongo-database.js';
import { migrateMongo } from './mongo-migration.js';
import { MongoWriters } from './mongo-writers.js';

interface Counter {
  readonly _id: string;
  readonly count: number;
}

const COUNTERS: MongoCollection<Counter> = {
  name: 'counters',
  schema: new Schema<Counter>(
    { _id: { type: String, required: true }, count: { type: Number, required: true } },
    MONGO_SCHEMA,
  ),
};

const silent = pino({ level: 'silent' });

describeWithEngines(['mongodb'], 'writers to MongoDB', () => {
  let engine: Engine;
  let url: string;
  const opened: MongoDatabase[] = [];

  beforeAll(async () => {
    engine = await startMongo();
    url = freshDatabase(engine.url);
    const database = await connect();
    await migrateMongo(database, { owner: 'spec', collections: [COUNTERS] });
    await counters(database).insertMany(['a', 'b', 'c', 'd'].map((_id) => ({ _id, count: 0 })));
  }, 120_000);

  afterAll(async () => {
    await opened[0]?.connection.dropDatabase();
    for (const database of opened) await database.close();
    await engine.stop();
  });

  async function connect(): Promise<MongoDatabase> {
    const database = await MongoDatabase.connect(url, silent);
    opened.push(database);
    return database;
  }

  /** As another process would have it. */
  async function another(): Promise<{ database: MongoDatabase; writers: MongoWriters }> {
    const database = await connect();
    return { database, writers: new MongoWriters(database) };
  }

  const counters = (database: MongoDatabase) => database.collection(COUNTERS);
  const count = (database: MongoDatabase, _id: string, session: ClientSession) =>
    counters(database).updateOne({ _id }, { $inc: { count: 1 } }, { session });
  const valueOf = async (_id: string) => (await counters(opened[0]!).findOne({ _id }))?.count;

  /** Writes the counter and then stands still in the middle: for ever, as a process does that is killed there. */
  async function leaveOpen(
    _id: string,
    { lives }: { lives: boolean },
  ): Promise<{ goOn: () => void; done: Promise<void> }> {
    const { database, writers } = await another();
    const begun = Promise.withResolvers<void>();
    const standing = Promise.withResolvers<void>();
    const done = writers.transaction(async (session) => {
      await count(database, _id, session);
      begun.resolve();
      await standing.promise;
    });
    await begun.promise;
    const run = jest.spyOn(database, 'run');
    if (!lives) run.mockReturnValue(new Promise(() => undefined));
    const goOn = () => {
      run.mockRestore();
      standing.resolve();
    };
    return { goOn, done };
  }

  it('end a transaction that somebody has left open, long before the server does', async () => {
    await leaveOpen('a', { lives: false });
    const { database, writers } = await another();
    await writers.transaction((session) => count(database, 'a', session));
    expect(await valueOf('a')).toBe(1);
    // And go on after that.
    await writers.transaction((session) => count(database, 'a', session));
    expect(await valueOf('a')).toBe(2);
  });

  it('begin again when it was theirs that somebody ended', async () => {
    const { database, writers } = await another();
    const slow = await leaveOpen('b', { lives: false });
    await writers.transaction((session) => count(database, 'b', session));
    slow.goOn();
    await slow.done;
    expect(await valueOf('b')).toBe(2);
  });

  it('leave a transaction alone whose process lives, however slow it is', async () => {
    const slow = await leaveOpen('d', { lives: true });
    const { database, writers } = await another();
    await expect(writers.transaction((session) => count(database, 'd', session))).rejects.toThrow(
      'too many tries',
    );
    slow.goOn();
    await slow.done;
    expect(await valueOf('d')).toBe(1);
  });

  it('use few sessions again and again, and make it known which', async () => {
    const { database, writers } = await another();
    const known = async () => {
      const all = await database.connection.db!.collection('writers').find().toArray();
      return all.flatMap(({ sessions }) => sessions as string[]).length;
    };
    const before = await known();
    for (let i = 0; i < 5; i++) await writers.transaction((session) => count(database, 'c', session));
    expect((await known()) - before).toBe(1);
    await expect(writers.transaction(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await writers.transaction((session) => count(database, 'c', session));
    expect(await valueOf('c')).toBe(6);
  });
});
