import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { groupConversation } from '@starling/protocol';
import { SqliteDatabase } from '@starling/storage';
import { StartedProcess } from '@starling/testing';
import { SqliteMessageRepository } from '../src/repository/sqlite-message-repository.js';

const TYPESCRIPT = pathToFileURL(resolve('deploy/typescript.mjs')).href;
const PROGRAM = join(__dirname, 'storing-process.ts');
const PARTITIONS = 4;
const KILLS = 8;

describe('a message store that is killed', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'starling-crash-'));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  /** Lets a process store until it has reported some commits, kills it, and answers the last head reported of each partition. */
  async function killedAfter(commits: number): Promise<Map<number, number>> {
    const child = new StartedProcess('the storing process', ['--import', TYPESCRIPT, PROGRAM, folder], {});
    let seen = 0;
    await child.waitForLog(`${commits} commits`, ({ msg }) => msg === 'stored' && ++seen === commits);
    expect(await child.end('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
    const reported = new Map<number, number>();
    for (const line of child.logs) {
      if (line.msg === 'stored') reported.set(line['partition'] as number, line['head'] as number);
    }
    return reported;
  }

  it('has every reported commit and seqs 1..n, time after time', async () => {
    let total = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const reported = await killedAfter(1 + kill * 5);
      expect(reported.size).toBeGreaterThan(0);

      const database = await SqliteDatabase.open(folder);
      const repository = await SqliteMessageRepository.open(database, PARTITIONS);
      expect(await database.all('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
      total = 0;
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const conversation = groupConversation(`group of ${partition}`);
        const messages = await repository.messages([{ conversation, from: 1, to: Number.MAX_SAFE_INTEGER }]);
        const head = messages.length;
        expect(messages.map(({ seq }) => seq)).toEqual(Array.from({ length: head }, (_, i) => i + 1));
        expect(head).toBeGreaterThanOrEqual(reported.get(partition) ?? 0);
        expect((await repository.heads([conversation])).get(conversation)?.seq ?? 0).toBe(head);
        expect((await repository.partition(partition)).position).toBe(head);
        total += head;
      }
      await database.close();
    }
    expect(total).toBeGreaterThan(KILLS);
  }, 240_000);
});
