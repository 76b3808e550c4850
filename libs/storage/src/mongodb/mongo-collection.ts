import { createHash } from 'node:crypto';
import type { Schema } from 'mongoose';

/** A collection with its fields and indexes, which stand in its schema and nowhere else. */
export interface MongoCollection<Document> {
  readonly name: string;
  readonly schema: Schema<Document>;
}

/** What a migration needs to know of it. */
export interface DeclaredCollection {
  readonly name: string;
  readonly schema: Pick<Schema, 'indexes' | 'toJSONSchema'>;
}

/** All collections of one service, which alone reads and writes them. */
export interface MongoCollections {
  readonly owner: string;
  readonly collections: readonly DeclaredCollection[];
}

/** Options of every schema: nothing is built, added or left out behind the owner's back. */
export const MONGO_SCHEMA = {
  autoCreate: false,
  autoIndex: false,
  versionKey: false,
  id: false,
  strict: 'throw',
  strictQuery: 'throw',
  minimize: false,
} as const;

/** What the server checks of every document that is written: the fields of the schema and their types. */
export function validatorOf({ schema }: DeclaredCollection): Record<string, unknown> {
  return { $jsonSchema: schema.toJSONSchema({ useBsonType: true }) };
}

/** Changes with every change of a declaration, so that a service can tell whether its own one was built. */
export function fingerprintOf({ collections }: MongoCollections): string {
  const declared = collections.map((each) => [each.name, each.schema.indexes(), validatorOf(each)]);
  return createHash('sha256').update(JSON.stringify(declared)).digest('base64url');
}
