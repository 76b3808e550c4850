import {
  PARTITION_HASH,
  type LossRecord,
  type Positions,
  type ReplayCursor,
  type StoredMessage,
  type TouchedConversation,
} from '@starling/bus';
import type { ConversationKey } from '@starling/protocol';
import {
  StatementError,
  StorageStartError,
  UniqueViolationError,
  UnmetExpectationError,
  type SqliteDatabase,
  type SqliteStatement,
} from '@starling/storage';
import type {
  Batch,
  CommitResult,
  DedupeKey,
  Head,
  MessageRepository,
  PartitionState,
  ReplayEntry,
  SeqRange,
  StoredOutcome,
} from './message-repository.js';
import { MESSAGE_TABLES } from './sqlite-message-tables.js';

const PARTITION_COLUMNS = 'epoch, position, message_id AS messageId';
const MESSAGE_COLUMNS = `m.conversation, m.seq, m.message_id AS messageId, m.sender, m.server_time AS serverTime,
  m.partition, m.position, m.previous_position AS previousPosition, m.membership_version AS membershipVersion, m.body`;
const TOUCHED_COLUMNS = 'c.conversation, c.partition, c.head, c.head_position AS headPosition';
/** Replays whose lease is over, removed with each save so that they never pile up. */
const EXPIRED_A_SAVE = 100;

/** Lists go in as one JSON parameter, so that one prepared statement serves any number. */
export class SqliteMessageRepository implements MessageRepository {
  private constructor(private readonly database: SqliteDatabase) {}

  /** Rejects with `StorageStartError` when the data was written with another number of partitions or another hash. */
  static async open(database: SqliteDatabase, partitions: number): Promise<SqliteMessageRepository> {
    await database.migrate('message-store', MESSAGE_TABLES);
    await fixOnce(database, 'partitions', String(partitions), (stored) => {
      return `PARTITIONS is ${partitions}, but the data was written with ${stored}: set PARTITIONS=${stored}`;
    });
    await fixOnce(database, 'partition-hash', PARTITION_HASH, (stored) => {
      return `this program spreads conversations by ${PARTITION_HASH}, but the data was written with ${stored}`;
    });
    await database.transaction([
      {
        sql: 'INSERT INTO partitions (partition, epoch, position) VALUES (?, 0, 0) ON CONFLICT DO NOTHING',
        each: Array.from({ length: partitions }, (_, partition) => [partition]),
      },
    ]);
    return new SqliteMessageRepository(database);
  }

  async takeEpoch(partition: number): Promise<PartitionState> {
    const [taken] = await this.database.transaction([
      {
        sql: `UPDATE partitions SET epoch = epoch + 1 WHERE partition = ? RETURNING ${PARTITION_COLUMNS}`,
        params: [partition],
        expectChanges: 1,
      },
    ]);
    return taken?.rows[0] as unknown as PartitionState;
  }

  async partition(partition: number): Promise<PartitionState> {
    const [state] = await this.database.all<PartitionState>(
      `SELECT ${PARTITION_COLUMNS} FROM partitions WHERE partition = ?`,
      [partition],
    );
    if (!state) throw new Error(`there is no partition ${partition}`);
    return state;
  }

  async positions(): Promise<Positions> {
    const rows = await this.database.all<{ position: number }>(
      'SELECT position FROM partitions ORDER BY partition',
    );
    return rows.map(({ position }) => position);
  }

  async commit(batch: Batch): Promise<CommitResult> {
    try {
      await this.database.transaction(batchStatements(batch));
      return 'committed';
    } catch (error) {
      if (error instanceof UnmetExpectationError) return error.statement === 0 ? 'void' : 'conflict';
      if (error instanceof UniqueViolationError) return 'conflict';
      if (error instanceof StatementError) return 'unstorable';
      throw error;
    }
  }

  async recordLoss({ partition, position, messageId, found }: LossRecord): Promise<boolean> {
    const [insert] = await this.database.transaction([
      {
        sql: `INSERT INTO log_losses (partition, position, message_id, found, found_at) VALUES (?, ?, ?, ?, ?)
              ON CONFLICT DO NOTHING`,
        params: [partition, position, messageId, found, Date.now()],
      },
    ]);
    return insert?.changes === 1;
  }

  async heads(conversations: readonly ConversationKey[]): Promise<Map<ConversationKey, Head>> {
    const rows = await this.database.all<Head & { conversation: ConversationKey }>(
      `SELECT c.conversation, c.head AS seq, c.head_position AS position
         FROM json_each(?) AS asked CROSS JOIN conversations AS c ON c.conversation = asked.value`,
      [JSON.stringify(conversations)],
    );
    return new Map(rows.map(({ conversation, seq, position }) => [conversation, { seq, position }]));
  }

  async stored(keys: readonly DedupeKey[]): Promise<Map<string, StoredOutcome>> {
    const rows = await this.database.all<StoredOutcome & { key: string }>(
      `SELECT m.dedupe_key AS key, m.message_id AS messageId, m.seq, m.server_time AS serverTime
         FROM json_each(?) AS asked CROSS JOIN messages AS m
           ON m.conversation = asked.value ->> 0 AND m.dedupe_key = asked.value ->> 1`,
      [JSON.stringify(keys.map(({ conversation, key }) => [conversation, key]))],
    );
    return new Map(rows.map(({ key, ...outcome }) => [key, outcome]));
  }

  messages(ranges: readonly SeqRange[]): Promise<StoredMessage[]> {
    return this.database.all<StoredMessage>(
      `SELECT ${MESSAGE_COLUMNS}
         FROM json_each(?) AS asked CROSS JOIN messages AS m
           ON m.conversation = asked.value ->> 0 AND m.seq BETWEEN asked.value ->> 1 AND asked.value ->> 2
        ORDER BY asked.key, m.seq`,
      [JSON.stringify(ranges.map(({ conversation, from, to }) => [conversation, from, to]))],
    );
  }

  messagePositions({ conversation, from, to }: SeqRange): Promise<{ seq: number; position: number }[]> {
    return this.database.all(
      'SELECT seq, position FROM messages WHERE conversation = ? AND seq BETWEEN ? AND ? ORDER BY seq',
      [conversation, from, to],
    );
  }

  touchedIn(partition: number, after: number, limit: number): Promise<TouchedConversation[]> {
    return this.database.all<TouchedConversation>(
      `SELECT ${TOUCHED_COLUMNS} FROM conversations AS c
        WHERE c.partition = ? AND c.head_position > ? ORDER BY c.head_position LIMIT ?`,
      [partition, after, limit],
    );
  }

  touchedOf(
    userId: string,
    groups: readonly ConversationKey[],
    after: Positions,
    limit: number,
  ): Promise<TouchedConversation[]> {
    return this.database.all<TouchedConversation>(
      `SELECT ${TOUCHED_COLUMNS}
         FROM (SELECT conversation FROM participants WHERE user_id = ?
               UNION SELECT value FROM json_each(?)) AS own
         CROSS JOIN conversations AS c ON c.conversation = own.conversation
        WHERE c.head_position > (? ->> c.partition)
        ORDER BY c.partition, c.head_position LIMIT ?`,
      [userId, JSON.stringify(groups), JSON.stringify(after), limit],
    );
  }

  async privateConversations(
    userId: string,
    after: ConversationKey | null,
    limit: number,
  ): Promise<ConversationKey[]> {
    const rows = await this.database.all<{ conversation: ConversationKey }>(
      'SELECT conversation FROM participants WHERE user_id = ? AND conversation > ? ORDER BY conversation LIMIT ?',
      [userId, after ?? '', limit],
    );
    return rows.map(({ conversation }) => conversation);
  }

  async readCursors(
    userId: string,
    conversations: readonly ConversationKey[],
  ): Promise<Map<ConversationKey, number>> {
    const rows = await this.database.all<{ conversation: ConversationKey; seq: number }>(
      `SELECT r.conversation, r.seq FROM json_each(?) AS asked
         CROSS JOIN read_cursors AS r ON r.user_id = ? AND r.conversation = asked.value`,
      [JSON.stringify(conversations), userId],
    );
    return new Map(rows.map(({ conversation, seq }) => [conversation, seq]));
  }

  async moveReadCursor(
    userId: string,
    conversation: ConversationKey,
    seq: number,
  ): Promise<{ seq: number; moved: boolean }> {
    const [move, read] = await this.database.transaction([
      {
        // Only an insert needs to look at zero: a cursor at 0 is none.
        sql: `INSERT INTO read_cursors (user_id, conversation, seq)
              SELECT ?, conversation, min(?, head) FROM conversations WHERE conversation = ? AND min(?, head) > 0
              ON CONFLICT DO UPDATE SET seq = excluded.seq WHERE excluded.seq > read_cursors.seq`,
        params: [userId, seq, conversation, seq],
      },
      {
        sql: 'SELECT seq FROM read_cursors WHERE user_id = ? AND conversation = ?',
        params: [userId, conversation],
      },
    ]);
    return { seq: Number(read?.rows[0]?.['seq'] ?? 0), moved: move?.changes === 1 };
  }

  async saveReplay(entries: readonly ReplayEntry[], now: number, expiresAt: number): Promise<void> {
    const begun = entries.filter(({ base }) => base !== null);
    await this.database.transaction([
      // One lease more than promised: a gateway that could not save for a while may still renew.
      {
        sql: `DELETE FROM replays WHERE user_id IN
                (SELECT user_id FROM replays WHERE expires_at < ? ORDER BY expires_at LIMIT ${EXPIRED_A_SAVE})`,
        params: [2 * now - expiresAt],
      },
      {
        sql: 'UPDATE replays SET expires_at = ? WHERE user_id = ?',
        each: entries.map(({ userId }) => [expiresAt, userId]),
      },
      { sql: 'DELETE FROM replay_cursors WHERE user_id = ?', each: begun.map(({ userId }) => [userId]) },
      {
        sql: `INSERT INTO replays (user_id, base, expires_at) VALUES (?, ?, ?)
              ON CONFLICT DO UPDATE SET base = excluded.base, expires_at = excluded.expires_at`,
        each: begun.map(({ userId, base }) => [userId, JSON.stringify(base), expiresAt]),
      },
      {
        sql: `INSERT INTO replay_cursors (user_id, conversation, seq)
              SELECT user_id, ?, ? FROM replays WHERE user_id = ?
              ON CONFLICT DO UPDATE SET seq = excluded.seq WHERE excluded.seq > replay_cursors.seq`,
        each: entries.flatMap(({ userId, cursors }) =>
          cursors.map(({ conversation, seq }) => [conversation, seq, userId]),
        ),
      },
    ]);
  }

  async loadReplay(
    userId: string,
    now: number,
  ): Promise<{ base: Positions; cursors: ReplayCursor[] } | null> {
    // One statement and so one snapshot: base and cursors belong together.
    const rows = await this.database.all<{
      base: string;
      conversation: ConversationKey | null;
      seq: number;
    }>(
      `SELECT r.base, c.conversation, c.seq FROM replays AS r LEFT JOIN replay_cursors AS c USING (user_id)
        WHERE r.user_id = ? AND r.expires_at > ? ORDER BY c.conversation`,
      [userId, now],
    );
    const [first] = rows;
    if (!first) return null;
    const cursors = rows.flatMap(({ conversation, seq }) =>
      conversation === null ? [] : [{ conversation, seq }],
    );
    return { base: JSON.parse(first.base) as Positions, cursors };
  }
}

async function fixOnce(
  database: SqliteDatabase,
  name: string,
  value: string,
  refusal: (stored: string) => string,
): Promise<void> {
  const [, read] = await database.transaction([
    { sql: 'INSERT INTO message_store_settings VALUES (?, ?) ON CONFLICT DO NOTHING', params: [name, value] },
    { sql: 'SELECT value FROM message_store_settings WHERE name = ?', params: [name] },
  ]);
  const stored = String(read?.rows[0]?.['value']);
  if (stored !== value) throw new StorageStartError(refusal(stored));
}

/** The partition's row comes first: its expectation, and only its, means "void". */
function batchStatements({
  partition,
  epoch,
  from,
  to,
  messages,
  heads,
  setAside,
}: Batch): SqliteStatement[] {
  const statements: SqliteStatement[] = [
    {
      sql: 'UPDATE partitions SET position = ?, message_id = ? WHERE partition = ? AND epoch = ? AND position = ?',
      params: [to.position, to.messageId, partition, epoch, from],
      expectChanges: 1,
    },
  ];
  if (messages.length > 0) {
    statements.push(
      {
        sql: `INSERT INTO messages (conversation, seq, message_id, sender, server_time, partition, position,
                previous_position, membership_version, dedupe_key, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        each: messages.map(({ message, dedupeKey }) => [
          message.conversation,
          message.seq,
          message.messageId,
          message.sender,
          message.serverTime,
          message.partition,
          message.position,
          message.previousPosition,
          message.membershipVersion,
          dedupeKey,
          message.body,
        ]),
      },
      {
        sql: `INSERT INTO conversations (conversation, partition, head, head_position) VALUES (?, ?, ?, ?)
              ON CONFLICT DO UPDATE SET head = excluded.head, head_position = excluded.head_position WHERE head = ?`,
        each: heads.map((move) => [move.conversation, partition, move.to.seq, move.to.position, move.from]),
        expectChanges: heads.length,
      },
      {
        sql: 'INSERT INTO participants (user_id, conversation) VALUES (?, ?)',
        each: heads
          .filter((move) => move.from === 0)
          .flatMap((move) => move.participants.map((userId) => [userId, move.conversation])),
      },
    );
  }
  if (setAside) {
    statements.push({
      sql: `INSERT INTO set_aside_submits (partition, position, message_id, reason, submit, set_aside_at)
            VALUES (?, ?, ?, ?, ?, ?)`,
      params: [
        partition,
        setAside.position,
        setAside.messageId,
        setAside.reason,
        setAside.submit,
        Date.now(),
      ],
    });
  }
  return statements;
}
