import type { LossRecord, Positions, ReplayCursor, StoredMessage, TouchedConversation } from '@starling/bus';
import type { ConversationKey } from '@starling/protocol';
import {
  isDuplicateKey,
  migrated,
  MongoWriters,
  sessionIdOf,
  StatementError,
  UniqueViolationError,
  type MongoDatabase,
} from '@starling/storage';
import type { ClientSession, Model } from 'mongoose';
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
import {
  CONVERSATIONS,
  dedupeId,
  keyOfDedupeId,
  LOSSES,
  MESSAGE_COLLECTIONS,
  MESSAGES,
  PARTITIONS,
  READ_CURSORS,
  refuseOtherSettings,
  REPLAY_CURSORS,
  REPLAYS,
  SET_ASIDE,
  type ConversationDocument,
  type LossDocument,
  type MessageDocument,
  type PartitionDocument,
  type ReadCursorDocument,
  type ReplayCursorDocument,
  type ReplayDocument,
  type SetAsideDocument,
} from './mongo-message-collections.js';

/** An opening that a transaction of somebody else blocks is given up after this, and tried again by the leader. */
const TAKE_EPOCH_MS = 3_000;
/** Documents that come with one answer of the server: no page is larger. */
const PAGE_MAX = 1_000;
/** Replays whose lease is over, removed with each save so that they never pile up. */
const EXPIRED_A_SAVE = 100;
const SAVE_TRIES = 5;
/** Private conversations are `p.….…`: all of them, and nothing else, lie between these. */
const PRIVATE_FROM = 'p.' as ConversationKey;
const PRIVATE_TO = 'p/' as ConversationKey;

const TOUCHED = { partition: 1, head: 1, headPosition: 1 } as const;

/** What this process leads, and the session in which it commits. */
interface Lead {
  readonly epoch: number;
  readonly session: ClientSession;
  committing: boolean;
}

/**
 * Operations go straight to the driver where a batch of documents of our own making would only be cast again.
 * Every document is checked by the server (see `migrateMongo`).
 */
export class MongoMessageRepository implements MessageRepository {
  private readonly leads = new Map<number, Lead>();
  private readonly partitions: Model<PartitionDocument>;
  private readonly written: Model<MessageDocument>;
  private readonly conversations: Model<ConversationDocument>;
  private readonly cursors: Model<ReadCursorDocument>;
  private readonly replays: Model<ReplayDocument>;
  private readonly replayCursors: Model<ReplayCursorDocument>;
  private readonly writers: MongoWriters;

  private constructor(private readonly database: MongoDatabase) {
    this.partitions = database.model<PartitionDocument>(PARTITIONS);
    this.written = database.model<MessageDocument>(MESSAGES);
    this.conversations = database.model<ConversationDocument>(CONVERSATIONS);
    this.cursors = database.model<ReadCursorDocument>(READ_CURSORS);
    this.replays = database.model<ReplayDocument>(REPLAYS);
    this.replayCursors = database.model<ReplayCursorDocument>(REPLAY_CURSORS);
    this.writers = new MongoWriters(database);
  }

  /** Waits for the migration. Rejects with `StorageStartError` when it was made for another number of partitions. */
  static async open(database: MongoDatabase, partitions: number): Promise<MongoMessageRepository> {
    await migrated(database, MESSAGE_COLLECTIONS);
    await refuseOtherSettings(database, partitions);
    return new MongoMessageRepository(database);
  }

  /**
   * A leader that died or stands still in the middle of a commit leaves a transaction behind, which would keep the
   * partition locked until the server gives it up (a minute by default). So its session, named in the partition's
   * document, is ended first; and each opening has a session of its own.
   */
  async takeEpoch(partition: number): Promise<PartitionState> {
    const session = await this.database.startSession();
    try {
      for (;;) {
        const { epoch, session: former } = await this.document(partition);
        if (former !== null) await this.database.killSessions([former]);
        const taken = await this.database.run(() =>
          this.partitions
            .findOneAndUpdate(
              { _id: partition, epoch },
              { $inc: { epoch: 1 }, $set: { session: sessionIdOf(session) } },
              { returnDocument: 'after', maxTimeMS: TAKE_EPOCH_MS },
            )
            .lean(),
        );
        if (taken === null) continue;
        await this.lead(partition, { epoch: taken.epoch, session, committing: false });
        return stateOf(taken);
      }
    } catch (error) {
      await session.endSession();
      throw error;
    }
  }

  async partition(partition: number): Promise<PartitionState> {
    return stateOf(await this.document(partition));
  }

  async positions(): Promise<Positions> {
    const found = await this.database.run(() =>
      this.partitions.find({}, { position: 1 }).sort({ _id: 1 }).lean(),
    );
    return found.map(({ position }) => position);
  }

  async commit(batch: Batch): Promise<CommitResult> {
    const lead = this.leads.get(batch.partition);
    // Epochs only grow, and this process has not been given that one, or a later one since.
    if (lead?.epoch !== batch.epoch) return 'void';
    lead.committing = true;
    try {
      return await this.database.transaction((session) => this.write(batch, session), lead.session);
    } catch (error) {
      if (error instanceof UniqueViolationError) return 'conflict';
      if (error instanceof StatementError) return 'unstorable';
      throw error;
    } finally {
      lead.committing = false;
      if (this.leads.get(batch.partition) !== lead) await lead.session.endSession();
    }
  }

  async recordLoss(loss: LossRecord): Promise<boolean> {
    const { partition, position, messageId, found } = loss;
    const losses = this.database.collection<LossDocument>(LOSSES);
    return this.database.run(() =>
      insertedFirst(losses.insertOne({ partition, position, messageId, found, foundAt: Date.now() })),
    );
  }

  async heads(conversations: readonly ConversationKey[]): Promise<Map<ConversationKey, Head>> {
    const found = await this.database.run(() =>
      this.conversations
        .find({ _id: { $in: conversations } }, { head: 1, headPosition: 1 })
        .batchSize(PAGE_MAX)
        .lean(),
    );
    return new Map(found.map(({ _id, head, headPosition }) => [_id, { seq: head, position: headPosition }]));
  }

  async stored(keys: readonly DedupeKey[]): Promise<Map<string, StoredOutcome>> {
    const ids = keys.map(({ conversation, key }) => dedupeId(conversation, key));
    const found = await this.database.run(() =>
      this.written
        .find({ _id: { $in: ids } }, { messageId: 1, seq: 1, serverTime: 1 })
        .batchSize(PAGE_MAX)
        .lean(),
    );
    return new Map(
      found.map(({ _id, messageId, seq, serverTime }) => [
        keyOfDedupeId(_id),
        { messageId, seq, serverTime },
      ]),
    );
  }

  /** One query for each range, side by side: an `$or` of many is not planned well everywhere. */
  async messages(ranges: readonly SeqRange[]): Promise<StoredMessage[]> {
    const found = await Promise.all(ranges.map((range) => this.range<StoredMessage>(range, { _id: 0 })));
    return found.flat();
  }

  messagePositions(range: SeqRange): Promise<{ seq: number; position: number }[]> {
    return this.range(range, { _id: 0, seq: 1, position: 1 });
  }

  async touchedIn(partition: number, after: number, limit: number): Promise<TouchedConversation[]> {
    const found = await this.database.run(() =>
      this.conversations
        .find({ partition, headPosition: { $gt: after, $lte: Number.MAX_SAFE_INTEGER } }, TOUCHED)
        .sort({ headPosition: 1 })
        .limit(limit)
        .lean(),
    );
    return found.map(touchedOf);
  }

  async touchedOf(
    userId: string,
    groups: readonly ConversationKey[],
    after: Positions,
    limit: number,
  ): Promise<TouchedConversation[]> {
    const [own, grouped] = await this.database.run(() =>
      Promise.all([
        this.conversations.find(privateOf(userId, null), TOUCHED).batchSize(PAGE_MAX).lean(),
        this.conversations
          .find({ _id: { $in: groups } }, TOUCHED)
          .batchSize(PAGE_MAX)
          .lean(),
      ]),
    );
    return [...own, ...grouped]
      .filter(({ partition, headPosition }) => headPosition > (after[partition] ?? 0))
      .sort((a, b) => a.partition - b.partition || a.headPosition - b.headPosition)
      .slice(0, limit)
      .map(touchedOf);
  }

  async privateConversations(
    userId: string,
    after: ConversationKey | null,
    limit: number,
  ): Promise<ConversationKey[]> {
    const found = await this.database.run(() =>
      this.conversations.find(privateOf(userId, after), { _id: 1 }).sort({ _id: 1 }).limit(limit).lean(),
    );
    return found.map(({ _id }) => _id);
  }

  async readCursors(
    userId: string,
    conversations: readonly ConversationKey[],
  ): Promise<Map<ConversationKey, number>> {
    const found = await this.database.run(() =>
      this.cursors
        .find({ userId, conversation: { $in: conversations } }, { conversation: 1, seq: 1 })
        .batchSize(PAGE_MAX)
        .lean(),
    );
    return new Map(found.map(({ conversation, seq }) => [conversation, seq]));
  }

  /** Every round but the last lost against somebody who moved the cursor on. */
  async moveReadCursor(
    userId: string,
    conversation: ConversationKey,
    seq: number,
  ): Promise<{ seq: number; moved: boolean }> {
    const head = (await this.heads([conversation])).get(conversation)?.seq ?? 0;
    const to = Math.min(seq, head);
    return this.database.run(async () => {
      for (;;) {
        const known = await this.cursors.findOne({ userId, conversation }, { seq: 1 }).lean();
        if (to <= (known?.seq ?? 0)) return { seq: known?.seq ?? 0, moved: false };
        if (known) {
          const { matchedCount } = await this.cursors.updateOne(
            { userId, conversation, seq: known.seq },
            { $set: { seq: to } },
          );
          if (matchedCount === 1) return { seq: to, moved: true };
        } else if (await this.firstCursor({ userId, conversation, seq: to })) {
          return { seq: to, moved: true };
        }
      }
    });
  }

  async saveReplay(entries: readonly ReplayEntry[], now: number, expiresAt: number): Promise<void> {
    // One lease more than promised: a gateway that could not save for a while may still renew.
    await this.forgetReplays(2 * now - expiresAt);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.writers.transaction((session) => this.writeReplays(entries, expiresAt, session));
      } catch (error) {
        // Two who begin the same user's replay at once.
        if (!(error instanceof UniqueViolationError) || attempt === SAVE_TRIES) throw error;
      }
    }
  }

  async loadReplay(
    userId: string,
    now: number,
  ): Promise<{ base: Positions; cursors: ReplayCursor[] } | null> {
    return this.database.transaction(async (session) => {
      const replay = await this.replays.findById(userId, null, { session }).lean();
      if (replay === null || replay.expiresAt <= now) return null;
      const cursors = await this.replayCursors
        .find({ userId }, { _id: 0, conversation: 1, seq: 1 }, { session })
        .sort({ conversation: 1 })
        .batchSize(PAGE_MAX)
        .lean();
      return { base: replay.base, cursors };
    });
  }

  /** The partition's document comes first: only there a batch is found void. */
  private async write(batch: Batch, session: ClientSession): Promise<CommitResult> {
    const { partition, epoch, from, to, messages, heads, setAside } = batch;
    const move = await this.database
      .collection<PartitionDocument>(PARTITIONS)
      .updateOne(
        { _id: partition, epoch, position: from },
        { $set: { position: to.position, messageId: to.messageId } },
        { session },
      );
    if (move.matchedCount !== 1) return abort(session, 'void');
    if (messages.length > 0) {
      await this.database.collection<MessageDocument>(MESSAGES).insertMany(
        messages.map(({ message, dedupeKey }) => ({
          ...message,
          _id: dedupeId(message.conversation, dedupeKey),
        })),
        { session },
      );
      const first = heads.filter((head) => head.from === 0);
      if (first.length > 0) {
        await this.database.collection<ConversationDocument>(CONVERSATIONS).insertMany(
          first.map(({ conversation, to: head, participants }) => ({
            _id: conversation,
            partition,
            head: head.seq,
            headPosition: head.position,
            ...(participants.length > 0 && { participants: [...participants] }),
          })),
          { session },
        );
      }
      const moved = heads.filter((head) => head.from !== 0);
      if (moved.length > 0) {
        const { matchedCount } = await this.database
          .collection<ConversationDocument>(CONVERSATIONS)
          .bulkWrite(
            moved.map(({ conversation, from: known, to: head }) => ({
              updateOne: {
                filter: { _id: conversation, head: known },
                update: { $set: { head: head.seq, headPosition: head.position } },
              },
            })),
            { session },
          );
        if (matchedCount !== moved.length) return abort(session, 'conflict');
      }
    }
    if (setAside) {
      await this.database
        .collection<SetAsideDocument>(SET_ASIDE)
        .insertOne({ partition, ...setAside, setAsideAt: Date.now() }, { session });
    }
    return 'committed';
  }

  /** A session that still commits is ended by its commit. */
  private async lead(partition: number, lead: Lead): Promise<void> {
    const known = this.leads.get(partition);
    const former = known && known.epoch > lead.epoch ? lead : known;
    if (former !== lead) this.leads.set(partition, lead);
    if (former && !former.committing) await former.session.endSession();
  }

  private async document(partition: number): Promise<PartitionDocument> {
    const found = await this.database.run(() => this.partitions.findById(partition).lean());
    if (found === null) throw new Error(`there is no partition ${partition}`);
    return found;
  }

  private range<Fields>(
    { conversation, from, to }: SeqRange,
    fields: Record<string, 0 | 1>,
  ): Promise<Fields[]> {
    return this.database.run(() =>
      this.written
        .find({ conversation, seq: { $gte: from, $lte: to } }, fields)
        .sort({ seq: 1 })
        .batchSize(PAGE_MAX)
        .lean<Fields[]>(),
    );
  }

  private firstCursor(cursor: ReadCursorDocument): Promise<boolean> {
    return insertedFirst(this.database.collection<ReadCursorDocument>(READ_CURSORS).insertOne({ ...cursor }));
  }

  private async writeReplays(
    entries: readonly ReplayEntry[],
    expiresAt: number,
    session: ClientSession,
  ): Promise<void> {
    const begun = entries.filter(({ base }) => base !== null);
    const others = entries.filter(({ base }) => base === null).map(({ userId }) => userId);
    const kept = await this.replays
      .find({ _id: { $in: others } }, { _id: 1 }, { session })
      .batchSize(PAGE_MAX)
      .lean();
    const known = new Set([...kept.map(({ _id }) => _id), ...begun.map(({ userId }) => userId)]);
    if (known.size === 0) return;
    // Who saves the same user meanwhile runs into these, so that nobody else writes the cursors.
    await this.database.collection<ReplayDocument>(REPLAYS).bulkWrite(
      [
        ...begun.map(({ userId, base }) => ({
          updateOne: {
            filter: { _id: userId },
            update: { $set: { base: [...(base ?? [])], expiresAt } },
            upsert: true,
          },
        })),
        ...kept.map(({ _id }) => ({ updateOne: { filter: { _id }, update: { $set: { expiresAt } } } })),
      ],
      { session },
    );
    if (begun.length > 0) {
      await this.database
        .collection<ReplayCursorDocument>(REPLAY_CURSORS)
        .deleteMany({ userId: { $in: begun.map(({ userId }) => userId) } }, { session });
    }
    const cursors = entries.flatMap(({ userId, cursors: moved }) =>
      known.has(userId) ? moved.map(({ conversation, seq }) => ({ userId, conversation, seq })) : [],
    );
    if (cursors.length === 0) return;
    await this.database.collection<ReplayCursorDocument>(REPLAY_CURSORS).bulkWrite(
      cursors.map(({ userId, conversation, seq }) => ({
        updateOne: { filter: { userId, conversation }, update: { $max: { seq } }, upsert: true },
      })),
      { session },
    );
  }

  private async forgetReplays(before: number): Promise<void> {
    const expired = (session?: ClientSession) =>
      this.replays
        .find({ expiresAt: { $gte: 0, $lt: before } }, { _id: 1 }, { session: session ?? null })
        .limit(EXPIRED_A_SAVE)
        .lean();
    if ((await this.database.run(() => expired())).length === 0) return;
    await this.writers.transaction(async (session) => {
      const users = (await expired(session)).map(({ _id }) => _id);
      await this.database
        .collection<ReplayDocument>(REPLAYS)
        .deleteMany({ _id: { $in: users } }, { session });
      await this.database
        .collection<ReplayCursorDocument>(REPLAY_CURSORS)
        .deleteMany({ userId: { $in: users } }, { session });
    });
  }
}

/** False when there is one with its key already. */
async function insertedFirst(insertion: Promise<unknown>): Promise<boolean> {
  try {
    await insertion;
    return true;
  } catch (error) {
    if (isDuplicateKey(error)) return false;
    throw error;
  }
}

async function abort<Result>(session: ClientSession, result: Result): Promise<Result> {
  await session.abortTransaction();
  return result;
}

function stateOf({ epoch, position, messageId }: PartitionDocument): PartitionState {
  return { epoch, position, messageId };
}

function touchedOf({ _id, partition, head, headPosition }: ConversationDocument): TouchedConversation {
  return { conversation: _id, partition, head, headPosition };
}

function privateOf(userId: string, after: ConversationKey | null) {
  return { participants: userId, _id: { $gt: after ?? PRIVATE_FROM, $lt: PRIVATE_TO } };
}
