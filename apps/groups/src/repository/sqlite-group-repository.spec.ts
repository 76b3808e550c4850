import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteDatabase } from '@starling/storage';
import { groupRepositoryContract } from './group-repository.contract.js';
import { SqliteGroupRepository } from './sqlite-group-repository.js';

groupRepositoryContract('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'starling-groups-'));
  let database = await SqliteDatabase.open(folder);
  return {
    repository: await SqliteGroupRepository.open(database),
    reopen: async () => {
      await database.close();
      database = await SqliteDatabase.open(folder);
      return SqliteGroupRepository.open(database);
    },
    stop: async () => {
      await database.close();
      rmSync(folder, { recursive: true });
    },
  };
});
