import { migrateMongo, MONGO_SCHEMA, type MongoCollections, type MongoDatabase } from '@starling/storage';
import { Schema } from 'mongoose';

export interface UserDocument {
  readonly _id: string;
}

export const USERS = {
  name: 'users',
  schema: new Schema<UserDocument>({ _id: { type: String, required: true } }, MONGO_SCHEMA),
};

export const USER_COLLECTIONS: MongoCollections = { owner: 'presence', collections: [USERS] };

export async function migrateUsers(database: MongoDatabase): Promise<void> {
  await migrateMongo(database, USER_COLLECTIONS);
}
