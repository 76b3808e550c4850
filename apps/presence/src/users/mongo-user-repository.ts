import { migrated, UniqueViolationError, type MongoDatabase } from '@starling/storage';
import { USER_COLLECTIONS, USERS, type UserDocument } from './mongo-user-collection.js';
import type { UserRepository } from './user-repository.js';

export class MongoUserRepository implements UserRepository {
  private constructor(private readonly database: MongoDatabase) {}

  /** Waits for the migration. */
  static async open(database: MongoDatabase): Promise<MongoUserRepository> {
    await migrated(database, USER_COLLECTIONS);
    return new MongoUserRepository(database);
  }

  async has(userId: string): Promise<boolean> {
    const users = this.database.model<UserDocument>(USERS);
    return (await this.database.run(() => users.findById(userId).lean())) !== null;
  }

  async add(userId: string): Promise<boolean> {
    const users = this.database.collection<UserDocument>(USERS);
    try {
      await this.database.run(() => users.insertOne({ _id: userId }));
      return true;
    } catch (error) {
      if (error instanceof UniqueViolationError) return false;
      throw error;
    }
  }
}
