import { groupConversation } from '@starling/protocol';
import { MongoDatabase } from '@starling/storage';
import { describeWithOwnEngines, freshDatabase, startMongo, until, type Engine } from '@starling/testing';
import { pino } from 'pino';
import type { Batch, Head, NewMessage } from '../src/repository/message-repository.js';
import { migrateMessages } from '../src/repository/mongo-message-collections.js';
import { MongoMessageRepository } from '../src/repository/mongo-message-repository.js';

const logger = pino({ level: 'silent' });
const PARTITIONS = 3;
const KILLS = 4;
const COMMITS_BETWEEN = 12;
const NO_HEAD: Head = { seq: 0, position: 0 };

describeWithOwnEngines(['mongodb'], 'a message store whose server is killed in the middle of commits', () => {
  let engine: Engine;
  let database: MongoDatabase;
  let repository: MongoMessageRepository;

  beforeAll(async () => {
    engine = await startMongo();
    database = await MongoDatabase.connect(freshDatabase(engine.url), logger);
    await migrateMessages(database, PARTITIONS);
    repository = await MongoMessageRepository.open(database, PARTITIONS);
  }, 120_000);

  afterAll(async () => {
    await database.close();
    await engine.stop();
  });

  /** What a leader would commit next, seen from the store alone. */
  async function nextBatch(partition: number, epoch: number, size: number): Promise<Batch> {
    const conversation = groupConversation(`group of ${partition}`);
    const { position: from } = await repository.partition(partition);
    const first = (await repository.heads([conversation])).get(conversation) ?? NO_HEAD;
    let head = first;
    const messages = Array.from({ length: size }, (_, index): NewMessage => {
      const seq = head.seq + 1;
      const position = from + index + 1;
      const places = { partition, position, previousPosition: head.position };
      const message = {
        conversation,
        seq,
        messageId: `m${position}`,
        sender: 'ann',
        serverTime: 1,
        ...places,
      };
      head = { seq, position };
      return {
        message: { ...message, membershipVersion: 1, body: `"content":"${'x'.repeat(200)}"` },
        dedupeKey: `${position}`,
      };
    });
    const to = { position: head.position, messageId: `m${head.position}` };
    const heads = [{ conversation, from: first.seq, to: head, participants: [] }];
    return { partition, epoch, from, to, messages, heads, setAside: null };
  }

  it('has every commit that was reported, seqs 1..n, and positions that agree', async () => {
    const reported = new Map<number, number>();
    let committed = 0;
    let unknown = 0;
    let repeated = 0;
    let isOver = false;

    async function lead(partition: number): Promise<void> {
      let epoch: number | null = null;
      for (let turn = 0; !isOver; turn++) {
        try {
          epoch ??= (await repository.takeEpoch(partition)).epoch;
          const batch = await nextBatch(partition, epoch, 1 + (turn % 40));
          const result = await repository.commit(batch);
          if (result === 'void') {
            // Made before the server was killed, and found void when it was tried again.
            repeated++;
            expect(await repository.partition(partition)).toEqual({ epoch, ...batch.to });
          } else {
            // Nobody else leads, so anything else would be a lost or a doubled commit.
            expect(result).toBe('committed');
          }
          reported.set(partition, batch.to.position);
          committed++;
        } catch (error) {
          if (!(error instanceof Error) || !error.name.startsWith('Storage')) throw error;
          unknown++;
          epoch = null;
        }
      }
    }

    const leaders = Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => lead(partition)));
    const killing = (async () => {
      for (let kill = 0; kill < KILLS; kill++) {
        const goal = committed + COMMITS_BETWEEN;
        await until('more commits', () => committed >= goal, 60_000);
        await engine.kill9();
        await engine.restart();
      }
      const goal = committed + COMMITS_BETWEEN;
      await until('more commits', () => committed >= goal, 60_000);
    })().finally(() => (isOver = true));
    await Promise.all([leaders.finally(() => (isOver = true)), killing]);

    expect(unknown + repeated).toBeGreaterThan(0);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const conversation = groupConversation(`group of ${partition}`);
      const messages = await repository.messages([{ conversation, from: 1, to: Number.MAX_SAFE_INTEGER }]);
      const n = messages.length;
      expect(messages.map(({ seq }) => seq)).toEqual(Array.from({ length: n }, (_, i) => i + 1));
      expect(n).toBeGreaterThanOrEqual(reported.get(partition) ?? Infinity);
      expect((await repository.heads([conversation])).get(conversation)).toEqual({ seq: n, position: n });
      expect(await repository.partition(partition)).toMatchObject({ position: n, messageId: `m${n}` });
    }
  }, 240_000);
});
