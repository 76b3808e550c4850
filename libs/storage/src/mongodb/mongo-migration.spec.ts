import { describeWithEngines, freshDatabase, startMongo, until, type Engine } from '@starling/testing';
import { Schema } from 'mongoose';
import { pino } from 'pino';
import { StatementError, StorageStartError } from '../storage-errors.js';
import { MONGO_SCHEMA, type MongoCollections } from './mongo-collection.js';
import { MongoDatabase } from './mongo-database.js';
import { migrated, migrateMongo } from './mongo-migration.js';

function declared(schema: Schema): MongoCollections {
  return { owner: 'spec', collections: [{ name: 'things', schema }] };
}

const plain = () => new Schema({ kind: { type: String, required: true } }, MONGO_SCHEMA);

describeWithEngines(['mongodb'], 'the migration of MongoDB', () => {
  let engine: Engine;
  let database: MongoDatabase;
  let lines: string[];

  beforeAll(async () => {
    engine = await startMongo();
  }, 120_000);

  afterAll(() => engine.stop());

  beforeEach(async () => {
    lines = [];
    const write = (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg);
    database = await MongoDatabase.connect(freshDatabase(engine.url), pino({}, { write }));
  });

  afterEach(async () => {
    await database.connection.dropDatabase();
    await database.close();
  });

  const things = () => database.connection.db!.collection('things');
  const indexes = async () => (await things().indexes()).map(({ name }) => name).sort();

  it('builds what is declared, once, also when several begin at once, one after the other', async () => {
    const first = declared(plain().index({ kind: 1 }, { unique: true }));
    let seeding = 0;
    let most = 0;
    const seed = async () => {
      most = Math.max(most, ++seeding);
      await database.check();
      seeding--;
    };
    await Promise.all(Array.from({ length: 4 }, () => migrateMongo(database, first, seed)));
    await migrateMongo(database, first, seed);
    expect(most).toBe(1);
    expect(await indexes()).toEqual(['_id_', 'kind_1']);
    await things().insertOne({ kind: 'a' });
    await expect(database.run(() => things().insertOne({ kind: 'a' }))).rejects.toThrow('unique');
    await expect(database.run(() => things().insertOne({ kind: 1 }))).rejects.toThrow(StatementError);
  });

  it('lets a service start once its own declaration was built, also after a later one', async () => {
    const older = declared(plain());
    const newer = declared(plain().index({ kind: 1 }));
    const waiting = migrated(database, older);
    await until('the line', () => lines.includes('waiting for the collections: run `npm run migrate`'));
    await migrateMongo(database, older);
    await waiting;
    let started = false;
    const waitingForNewer = migrated(database, newer).then(() => (started = true));
    await until('the second line', () => lines.filter((line) => line.startsWith('waiting')).length === 2);
    expect(started).toBe(false);
    await migrateMongo(database, newer);
    await waitingForNewer;
    await migrated(database, older);
  });

  it('refuses to replace an index that differs, naming it', async () => {
    await migrateMongo(database, declared(plain().index({ kind: 1 })));
    const other = declared(plain().index({ kind: 1 }, { unique: true }));
    await expect(migrateMongo(database, other)).rejects.toThrow(
      new StorageStartError(
        'the collection things has another index on kind than the declared one: drop it and migrate again',
      ),
    );
    // And gives the lock back.
    await migrateMongo(database, declared(plain().index({ kind: 1 })));
  });

  it('waits for one that holds the lock, but not for one that died', async () => {
    const locks = database.connection.db!.collection<{ _id: string }>('migrations');
    const held = { holder: 'other', heldUntil: new Date(Date.now() + 60_000), built: [] };
    await locks.insertOne({ _id: 'spec', ...held });
    const migrating = migrateMongo(database, declared(plain()));
    await until('the line', () => lines.includes('waiting for another migration to end'));
    // Its lease is over.
    await locks.updateOne({ _id: 'spec' }, { $set: { heldUntil: new Date(Date.now() - 1) } });
    await migrating;
  });
});
