import { groupConversation } from '@starling/protocol';
import { SqliteDatabase } from '@starling/storage';
import { pino } from 'pino';
import type { NewMessage } from '../src/repository/message-repository.js';
import { SqliteMessageRepository } from '../src/repository/sqlite-message-repository.js';

/**
 * Started by crash.spec.ts with a data folder, to be killed at any moment: stores batch after batch in every
 * partition, as leaders would, and logs each commit that was reported as made.
 */
const PARTITIONS = 4;
const [dataDir] = process.argv.slice(2) as [string];
const logger = pino(pino.destination({ sync: true }));
const database = await SqliteDatabase.open(dataDir);
const repository = await SqliteMessageRepository.open(database, PARTITIONS);

async function lead(partition: number): Promise<never> {
  const conversation = groupConversation(`group of ${partition}`);
  const { epoch, position } = await repository.takeEpoch(partition);
  let head = (await repository.heads([conversation])).get(conversation) ?? { seq: 0, position: 0 };
  let from = position;
  for (let batch = 0; ; batch++) {
    const first = head;
    const messages = Array.from({ length: 1 + (batch % 20) }, (): NewMessage => {
      const seq = head.seq + 1;
      const message = {
        conversation,
        seq,
        messageId: `message ${seq}`,
        sender: 'ann',
        serverTime: Date.now(),
        partition,
        position: seq,
        previousPosition: head.position,
        membershipVersion: 1,
        body: `"content":"${'x'.repeat(seq % 700)}"`,
      };
      head = { seq, position: seq };
      return { message, dedupeKey: `${seq}` };
    });
    const result = await repository.commit({
      partition,
      epoch,
      from,
      to: { position: head.position, messageId: `message ${head.seq}` },
      messages,
      heads: [{ conversation, from: first.seq, to: head, participants: [] }],
      setAside: null,
    });
    if (result !== 'committed') throw new Error(`partition ${partition}: ${result}`);
    from = head.position;
    logger.info({ partition, head: head.seq }, 'stored');
  }
}

await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => lead(partition)));
