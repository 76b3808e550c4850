import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { StorageStartError } from '../storage-errors.js';
import {
  fingerprintOf,
  validatorOf,
  type DeclaredCollection,
  type MongoCollections,
} from './mongo-collection.js';
import type { MongoDatabase } from './mongo-database.js';
import { isDuplicateKey, isNamespaceExists } from './mongo-errors.js';

const LOCK_MS = 30_000;
const LOOK_AGAIN_MS = 500;
const INDEX_DIFFERS = new Set<unknown>([85, 86]);

/** One for each owner: who migrates it now, and which declarations have been built. */
interface Migration {
  readonly _id: string;
  readonly holder: string | null;
  readonly heldUntil: Date;
  readonly built: readonly string[];
}

/**
 * Builds what an owner declares and then lets `seed` write what must be there from the first. May be repeated and
 * run by several at once: they do it one after the other, and a step done before changes nothing.
 * Rejects with `StorageStartError` when an index that exists differs from the one declared.
 */
export async function migrateMongo(
  database: MongoDatabase,
  declared: MongoCollections,
  seed: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const release = await lock(database, declared.owner);
  try {
    for (const collection of declared.collections) await build(database, collection);
    await seed();
    await database.run(() =>
      migrations(database).updateOne(
        { _id: declared.owner },
        { $addToSet: { built: fingerprintOf(declared) } },
      ),
    );
    database.logger.info({ owner: declared.owner }, 'the collections are up to date');
  } finally {
    await release();
  }
}

/** Waits until the migration has built this very declaration, saying once what is waited for. */
export async function migrated(database: MongoDatabase, declared: MongoCollections): Promise<void> {
  const fingerprint = fingerprintOf(declared);
  for (let waiting = false; ; waiting = true) {
    const migration = await database.run(() => migrations(database).findOne({ _id: declared.owner }));
    if (migration?.built.includes(fingerprint)) return;
    if (!waiting) {
      database.logger.warn({ owner: declared.owner }, 'waiting for the collections: run `npm run migrate`');
    }
    await pause(LOOK_AGAIN_MS);
  }
}

function migrations(database: MongoDatabase) {
  return database.connection.db!.collection<Migration>('migrations');
}

/** A lease, so that one who dies does not lock the others out. Returns what gives it back. */
async function lock(database: MongoDatabase, owner: string): Promise<() => Promise<void>> {
  const holder = randomUUID();
  const locks = migrations(database);
  await database.run(async () => {
    try {
      await locks.insertOne({ _id: owner, holder: null, heldUntil: new Date(0), built: [] });
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
    }
  });
  const hold = (who: object) =>
    database.run(() =>
      locks.updateOne(
        { _id: owner, ...who },
        { $set: { holder, heldUntil: new Date(Date.now() + LOCK_MS) } },
      ),
    );
  for (let waiting = false; ; waiting = true) {
    const { matchedCount } = await hold({ heldUntil: { $gt: new Date(-1), $lt: new Date() } });
    if (matchedCount === 1) break;
    if (!waiting) database.logger.info({ owner }, 'waiting for another migration to end');
    await pause(LOOK_AGAIN_MS);
  }
  // Losing it is harmless, since every step may be done twice: the lock only keeps index builds apart.
  const renewal = setInterval(() => void hold({ holder }).catch(() => undefined), LOCK_MS / 3);
  return async () => {
    clearInterval(renewal);
    await database.run(() =>
      locks.updateOne({ _id: owner, holder }, { $set: { holder: null, heldUntil: new Date(0) } }),
    );
  };
}

async function build(database: MongoDatabase, collection: DeclaredCollection): Promise<void> {
  const { name, schema } = collection;
  const validator = validatorOf(collection);
  const db = database.connection.db!;
  await database.run(async () => {
    try {
      await db.createCollection(name, { validator });
    } catch (error) {
      if (!isNamespaceExists(error)) throw error;
      await db.command({ collMod: name, validator });
    }
    for (const [key, options] of schema.indexes()) {
      const { background: _, ...plain } = options as { background?: boolean };
      try {
        await db.collection(name).createIndex(key as Record<string, 1 | -1>, plain);
      } catch (error) {
        if (!INDEX_DIFFERS.has((error as { code?: unknown }).code)) throw error;
        const fields = Object.keys(key).join(', ');
        throw new StorageStartError(
          `the collection ${name} has another index on ${fields} than the declared one: drop it and migrate again`,
        );
      }
    }
  });
}
