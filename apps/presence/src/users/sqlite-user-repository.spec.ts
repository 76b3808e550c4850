import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteDatabase } from '@starling/storage';
import { SqliteUserRepository } from './sqlite-user-repository.js';
import { userRepositoryContract } from './user-repository.contract.js';

userRepositoryContract('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'starling-presence-'));
  let database = await SqliteDatabase.open(folder);
  return {
    repository: await SqliteUserRepository.open(database),
    reopen: async () => {
      await database.close();
      database = await SqliteDatabase.open(folder);
      return SqliteUserRepository.open(database);
    },
    stop: async () => {
      await database.close();
      rmSync(folder, { recursive: true });
    },
  };
});
