import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { groupConversation } from '@starling/protocol';
import { SqliteDatabase, StorageStartError } from '@starling/storage';
import { messageRepositoryContract, PARTITIONS_OF_CONTRACT } from './message-repository.contract.js';
import { SqliteMessageRepository } from './sqlite-message-repository.js';

async function start() {
  const folder = mkdtempSync(join(tmpdir(), 'starling-messages-'));
  let database = await SqliteDatabase.open(folder);
  return {
    repository: await SqliteMessageRepository.open(database, PARTITIONS_OF_CONTRACT),
    reopen: async (partitions = PARTITIONS_OF_CONTRACT) => {
      await database.close();
      database = await SqliteDatabase.open(folder);
      return SqliteMessageRepository.open(database, partitions);
    },
    stop: async () => {
      await database.close();
      rmSync(folder, { recursive: true });
    },
    database: () => database,
  };
}

messageRepositoryContract('SQLite', start);

describe('a message store in SQLite', () => {
  it('refuses to start with another number of partitions, naming PARTITIONS', async () => {
    const { reopen, stop } = await start();
    const refusal = await reopen(5).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(StorageStartError);
    expect((refusal as Error).message).toBe(
      'PARTITIONS is 5, but the data was written with 3: set PARTITIONS=3',
    );
    await expect(reopen()).resolves.toBeDefined();
    await stop();
  });

  it('scans no table, whatever is asked', async () => {
    const { database, stop } = await start();
    const asked: string[] = [];
    const listening = new Proxy(database(), {
      get: (target, name: 'all') =>
        name === 'all'
          ? (sql: string, params: []) => (asked.push(sql), target.all(sql, params))
          : target[name],
    });
    const repository = await SqliteMessageRepository.open(listening, PARTITIONS_OF_CONTRACT);
    const sea = groupConversation('sea');
    await repository.partition(0);
    await repository.heads([sea]);
    await repository.stored([{ conversation: sea, key: 'key' }]);
    await repository.messages([{ conversation: sea, from: 1, to: 2 }]);
    await repository.messagePositions({ conversation: sea, from: 1, to: 2 });
    await repository.touchedIn(0, 0, 1);
    await repository.touchedOf('ann', [sea], [0, 0, 0], 1);
    await repository.privateConversations('ann', null, 1);
    await repository.readCursors('ann', [sea]);
    await repository.loadReplay('ann', 0);
    expect(asked).toHaveLength(10);
    for (const sql of asked) {
      const plan = await database().all<{ detail: string }>(
        `EXPLAIN QUERY PLAN ${sql}`,
        Array(sql.split('?').length - 1).fill('[]'),
      );
      const scans = plan.filter(
        ({ detail }) => detail.startsWith('SCAN') && !/json_each|asked|own/.test(detail),
      );
      expect({ sql, scans }).toEqual({ sql, scans: [] });
    }
    await stop();
  });
});
