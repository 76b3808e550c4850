import { once } from 'node:events';
import { createServer } from 'node:net';
import {
  describeWithEngines,
  describeWithOwnEngines,
  freshDatabase,
  startMongo,
  until,
  type Engine,
} from '@starling/testing';
import { Schema } from 'mongoose';
import { pino } from 'pino';
import {
  StatementError,
  StorageStartError,
  StorageUnavailableError,
  UniqueViolationError,
} from '../storage-errors.js';
import { MONGO_SCHEMA, type MongoCollection } from './mongo-collection.js';
import { MongoDatabase } from './mongo-database.js';
import { migrateMongo } from './mongo-migration.js';

interface Thing {
  readonly _id: string;
  readonly kind: string;
  readonly count: number;
}

const THINGS: MongoCollection<Thing> = {
  name: 'things',
  schema: new Schema<Thing>(
    {
      _id: { type: String, required: true },
      kind: { type: String, required: true },
      count: { type: Number, required: true },
    },
    MONGO_SCHEMA,
  ).index({ kind: 1 }, { unique: true }),
};

function recordingLogger() {
  const lines: { level: number; msg: string }[] = [];
  return { lines, logger: pino({}, { write: (line: string) => void lines.push(JSON.parse(line) as never) }) };
}

const silent = pino({ level: 'silent' });

describe('a connection to MongoDB', () => {
  it('is refused for a URL that is none, without showing it', async () => {
    const refusal = await MongoDatabase.connect('mongodb://im:secret@:1/x', silent).catch((e: unknown) => e);
    expect(refusal).toBeInstanceOf(StorageStartError);
    expect((refusal as Error).message).not.toContain('secret');
  });
});

/** One server here. Elections, rollback and lag of a replica set cannot be tried without one of several members. */
describeWithEngines(['mongodb'], 'a MongoDB database', () => {
  let engine: Engine;
  let database: MongoDatabase;

  beforeAll(async () => {
    engine = await startMongo();
    database = await MongoDatabase.connect(freshDatabase(engine.url), silent);
    await migrateMongo(database, { owner: 'spec', collections: [THINGS] });
  }, 120_000);

  afterAll(async () => {
    await database.connection.dropDatabase();
    await database.close();
    await engine.stop();
  });

  const things = () => database.collection(THINGS);
  const insert = (thing: object) => database.run(() => things().insertOne(thing as Thing));

  it('tells errors apart without repeating what was to be stored', async () => {
    await insert({ _id: 'first', kind: 'secret', count: 1 });
    const errors = await Promise.all(
      [
        insert({ _id: 'first', kind: 'other secret', count: 1 }),
        insert({ _id: 'second', kind: 'secret', count: 1 }),
        insert({ _id: 'third', kind: null, count: 'secret' }),
        insert({ _id: 'fourth', kind: 'secret'.repeat(3_000_000), count: 1 }),
        database.run(() =>
          database
            .model(THINGS)
            .find({ kind: { secret: 1 } as never })
            .lean(),
        ),
        database.transaction((session) =>
          things().insertMany([{ _id: 'x', kind: 'secret', count: 1 }], { session }),
        ),
      ].map((attempt) => attempt.catch((error: unknown) => error)),
    );
    expect(errors.map((error) => (error as object).constructor)).toEqual([
      UniqueViolationError,
      UniqueViolationError,
      StatementError,
      StatementError,
      StatementError,
      UniqueViolationError,
    ]);
    expect(errors[0]).toMatchObject({ constraint: '_id' });
    expect(errors[1]).toMatchObject({ constraint: 'kind' });
    for (const error of errors) {
      expect(Object.values(error as object).join() + (error as Error).message).not.toContain('secret');
      expect((error as Error).cause).toBeUndefined();
    }
  });

  it('begins a transaction again that ran into others', async () => {
    await insert({ _id: 'counter', kind: 'counter', count: 0 });
    let tries = 0;
    await Promise.all(
      Array.from({ length: 4 }, () =>
        database.transaction(async (session) => {
          tries++;
          const found = await database.model(THINGS).findById('counter', null, { session }).lean();
          await things().updateOne(
            { _id: 'counter' },
            { $set: { count: (found?.count ?? 0) + 1 } },
            { session },
          );
        }),
      ),
    );
    expect((await database.model(THINGS).findById('counter').lean())?.count).toBe(4);
    expect(tries).toBeGreaterThan(4);
  });

  it('leaves nothing of a transaction that its work aborted, or that threw', async () => {
    const work = async (
      end: (session: Parameters<Parameters<typeof database.transaction>[0]>[0]) => Promise<string>,
    ) =>
      database.transaction(async (session) => {
        await things().insertOne({ _id: 'half', kind: 'half', count: 1 }, { session });
        return end(session);
      });
    await expect(
      work(async (session) => {
        await session.abortTransaction();
        return 'aborted';
      }),
    ).resolves.toBe('aborted');
    await expect(work(() => Promise.reject(new TypeError('bug')))).rejects.toThrow(TypeError);
    expect(await database.model(THINGS).findById('half').lean()).toBeNull();
  });

  it('reads several things as of one moment', async () => {
    await insert({ _id: 'a', kind: 'a', count: 0 });
    await insert({ _id: 'b', kind: 'b', count: 0 });
    let writing = true;
    const writer = (async () => {
      for (let count = 1; count <= 60; count++) {
        await database.transaction(async (session) => {
          for (const _id of ['a', 'b']) await things().updateOne({ _id }, { $set: { count } }, { session });
        });
      }
    })().finally(() => (writing = false));
    const seen = new Set<number>();
    while (writing) {
      const [a, b] = await database.transaction(async (session) => [
        await database.model(THINGS).findById('a', null, { session }).lean(),
        await database.model(THINGS).findById('b', null, { session }).lean(),
      ]);
      expect(b?.count).toBe(a?.count);
      seen.add(a?.count ?? -1);
    }
    await writer;
    expect(seen.size).toBeGreaterThan(2);
  });

  it('is refused under another name of the replica set, and says so', async () => {
    const url = engine.url.replace(/replicaSet=[^&]*/, 'replicaSet=nobody');
    expect(url).not.toBe(engine.url);
    await expect(MongoDatabase.connect(url, silent)).rejects.toThrow(
      /is of the replica set ".+", not of the one/,
    );
  });

  it('needs no name of the set in its URL', async () => {
    const named = await MongoDatabase.connect(engine.url.replace(/[?&]replicaSet=[^&]*/, ''), silent);
    await named.check();
    await named.close();
  });
});

describeWithOwnEngines(['mongodb'], 'a MongoDB server that comes and goes', () => {
  let started: Engine[] = [];
  let connected: MongoDatabase[] = [];

  afterEach(async () => {
    for (const database of connected) await database.close();
    for (const engine of started) await engine.stop();
    started = [];
    connected = [];
  });

  it('without transactions is refused with what to do', async () => {
    const engine = await startMongo({ standalone: true });
    started.push(engine);
    const advice = /standalone server, which has no transactions.*--replSet.*rs\.initiate\(\)/s;
    await expect(MongoDatabase.connect(engine.url, silent)).rejects.toThrow(advice);
    await expect(MongoDatabase.connect(`${engine.url}?replicaSet=rs0`, silent)).rejects.toThrow(advice);
  }, 120_000);

  it('is waited for with one line, missed when it is gone, and used again when it is back', async () => {
    const { lines, logger } = recordingLogger();
    const port = await new Promise<number>((found) => {
      const server = createServer().listen(0, '127.0.0.1', () => {
        const { port: free } = server.address() as { port: number };
        server.close(() => found(free));
      });
    });
    const connecting = MongoDatabase.connect(`mongodb://127.0.0.1:${port}/spec`, logger);
    await until('the line', () => lines.some(({ msg }) => msg === 'waiting for MongoDB'));
    const engine = await startMongo({ port });
    started.push(engine);
    const database = await connecting;
    connected.push(database);
    await migrateMongo(database, { owner: 'spec', collections: [THINGS] });
    await database.check();

    await engine.kill9();
    const write = () =>
      database.transaction((session) =>
        database.collection(THINGS).insertOne({ _id: 'x', kind: 'x', count: 1 }, { session }),
      );
    const failure = await write().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StorageUnavailableError);
    await expect(database.check()).rejects.toThrow(StorageUnavailableError);
    // Right after connecting, the driver looks only every half second: a server back sooner was never away for it.
    await until('the line', () => lines.some(({ msg }) => msg === 'MongoDB is away'));
    await engine.restart();
    await until(
      'the database to be ready',
      () =>
        database.check().then(
          () => true,
          () => false,
        ),
      30_000,
    );
    await write();
    await until('the line', () => lines.some(({ msg }) => msg === 'MongoDB is back'));
    expect(lines.map(({ msg }) => msg)).toEqual([
      'waiting for MongoDB',
      'MongoDB is there',
      'the collections are up to date',
      'MongoDB is away',
      'MongoDB is back',
    ]);
    await database.close();
    expect(lines).toHaveLength(5);
  }, 120_000);

  it('is missed when it stands still, and back when it goes on', async () => {
    const { lines, logger } = recordingLogger();
    const engine = await startMongo();
    started.push(engine);
    const database = await MongoDatabase.connect(engine.url, logger);
    connected.push(database);
    await once(database.connection.getClient(), 'serverHeartbeatSucceeded');

    engine.pause();
    await until('the line', () => lines.some(({ msg }) => msg === 'MongoDB is away'), 30_000);
    engine.resume();
    await until('the line', () => lines.some(({ msg }) => msg === 'MongoDB is back'));
    expect(lines.map(({ msg }) => msg)).toEqual(['MongoDB is away', 'MongoDB is back']);
  }, 120_000);
});
