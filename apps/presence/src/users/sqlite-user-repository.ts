import type { SqliteDatabase } from '@starling/storage';
import type { UserRepository } from './user-repository.js';

/** Steps of migration; only ever appended. */
const USER_TABLES = ['CREATE TABLE users (user_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID'] as const;

export class SqliteUserRepository implements UserRepository {
  private constructor(private readonly database: SqliteDatabase) {}

  static async open(database: SqliteDatabase): Promise<SqliteUserRepository> {
    await database.migrate('presence', USER_TABLES);
    return new SqliteUserRepository(database);
  }

  async has(userId: string): Promise<boolean> {
    const rows = await this.database.all('SELECT 1 FROM users WHERE user_id = ?', [userId]);
    return rows.length > 0;
  }

  async add(userId: string): Promise<boolean> {
    const [insert] = await this.database.transaction([
      { sql: 'INSERT INTO users (user_id) VALUES (?) ON CONFLICT DO NOTHING', params: [userId] },
    ]);
    return insert?.changes === 1;
  }
}
