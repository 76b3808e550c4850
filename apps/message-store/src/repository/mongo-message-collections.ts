import { PARTITION_HASH, type LossRecord, type StoredMessage } from '@starling/bus';
import type { ConversationKey } from '@starling/protocol';
import {
  isDuplicateKey,
  migrateMongo,
  MONGO_SCHEMA,
  StorageStartError,
  type MongoCollections,
  type MongoDatabase,
} from '@starling/storage';
import { Schema, type mongo } from 'mongoose';

const text = { type: String, required: true } as const;
const number = { type: Number, required: true } as const;
const textOrNull = { type: String, default: null } as const;

/** What must never change once messages are stored: the number of partitions and their hash. */
interface SettingDocument {
  readonly _id: string;
  readonly value: string;
}

export interface PartitionDocument {
  readonly _id: number;
  readonly epoch: number;
  readonly position: number;
  readonly messageId: string | null;
  /** Of the leader: whoever follows it ends the transaction that it may have left open. */
  readonly session: string | null;
}

/** `_id` is the conversation and the dedupe key, see `dedupeId`. */
export interface MessageDocument extends StoredMessage {
  readonly _id: string;
}

export interface ConversationDocument {
  readonly _id: ConversationKey;
  readonly partition: number;
  readonly head: number;
  readonly headPosition: number;
  /** Of private conversations only: who is in a group is the groups service's to say. */
  readonly participants?: readonly string[];
}

export interface SetAsideDocument {
  readonly partition: number;
  readonly position: number;
  readonly messageId: string | null;
  readonly reason: string;
  readonly submit: string | null;
  readonly setAsideAt: number;
}

export interface LossDocument extends LossRecord {
  readonly foundAt: number;
}

export interface ReadCursorDocument {
  readonly userId: string;
  readonly conversation: ConversationKey;
  readonly seq: number;
}

export interface ReplayDocument {
  readonly _id: string;
  readonly base: readonly number[];
  readonly expiresAt: number;
}

export interface ReplayCursorDocument {
  readonly userId: string;
  readonly conversation: ConversationKey;
  readonly seq: number;
}

const SETTINGS = {
  name: 'message_store_settings',
  schema: new Schema<SettingDocument>({ _id: text, value: text }, MONGO_SCHEMA),
};

export const PARTITIONS = {
  name: 'partitions',
  schema: new Schema<PartitionDocument>(
    { _id: number, epoch: number, position: number, messageId: textOrNull, session: textOrNull },
    MONGO_SCHEMA,
  ),
};

export const MESSAGES = {
  name: 'messages',
  schema: new Schema<MessageDocument>(
    {
      _id: text,
      conversation: text,
      seq: number,
      messageId: text,
      sender: text,
      serverTime: number,
      partition: number,
      position: number,
      previousPosition: number,
      membershipVersion: number,
      body: text,
    },
    MONGO_SCHEMA,
  ).index({ conversation: 1, seq: 1 }, { unique: true }),
};

export const CONVERSATIONS = {
  name: 'conversations',
  schema: new Schema<ConversationDocument>(
    {
      _id: text,
      partition: number,
      head: number,
      headPosition: number,
      participants: { type: [text], default: undefined },
    },
    MONGO_SCHEMA,
  )
    .index({ partition: 1, headPosition: 1 })
    .index({ participants: 1, _id: 1 }),
};

export const SET_ASIDE = {
  name: 'set_aside_submits',
  schema: new Schema<SetAsideDocument>(
    {
      partition: number,
      position: number,
      messageId: textOrNull,
      reason: text,
      submit: textOrNull,
      setAsideAt: number,
    },
    MONGO_SCHEMA,
  ).index({ partition: 1, position: 1 }, { unique: true }),
};

export const LOSSES = {
  name: 'log_losses',
  schema: new Schema<LossDocument>(
    { partition: number, position: number, messageId: textOrNull, found: text, foundAt: number },
    MONGO_SCHEMA,
  ).index({ partition: 1, position: 1 }, { unique: true }),
};

export const READ_CURSORS = {
  name: 'read_cursors',
  schema: new Schema<ReadCursorDocument>(
    { userId: text, conversation: text, seq: number },
    MONGO_SCHEMA,
  ).index({ userId: 1, conversation: 1 }, { unique: true }),
};

export const REPLAYS = {
  name: 'replays',
  schema: new Schema<ReplayDocument>(
    { _id: text, base: { type: [number] }, expiresAt: number },
    MONGO_SCHEMA,
  ).index({
    expiresAt: 1,
  }),
};

export const REPLAY_CURSORS = {
  name: 'replay_cursors',
  schema: new Schema<ReplayCursorDocument>(
    { userId: text, conversation: text, seq: number },
    MONGO_SCHEMA,
  ).index({ userId: 1, conversation: 1 }, { unique: true }),
};

export const MESSAGE_COLLECTIONS: MongoCollections = {
  owner: 'message-store',
  collections: [
    SETTINGS,
    PARTITIONS,
    MESSAGES,
    CONVERSATIONS,
    SET_ASIDE,
    LOSSES,
    READ_CURSORS,
    REPLAYS,
    REPLAY_CURSORS,
  ],
};

/** Rejects with `StorageStartError` when the data was written with another number of partitions or another hash. */
export async function migrateMessages(database: MongoDatabase, partitions: number): Promise<void> {
  await migrateMongo(database, MESSAGE_COLLECTIONS, async () => {
    const settings = database.collection<SettingDocument>(SETTINGS);
    const rows = database.collection<PartitionDocument>(PARTITIONS);
    await database.run(async () => {
      await insertMissing(settings, settingsOf(partitions));
      await refuseOtherSettings(database, partitions);
      await insertMissing(
        rows,
        Array.from({ length: partitions }, (_, _id) => ({
          _id,
          epoch: 0,
          position: 0,
          messageId: null,
          session: null,
        })),
      );
    });
  });
}

/** Rejects with `StorageStartError` when what the migration wrote is not what this process is configured with. */
export async function refuseOtherSettings(database: MongoDatabase, partitions: number): Promise<void> {
  const stored = await database.run(() => database.model<SettingDocument>(SETTINGS).find().lean());
  const valueOf = (id: string) => stored.find(({ _id }) => _id === id)?.value;
  const [number, hash] = settingsOf(partitions).map(({ _id }) => valueOf(_id));
  if (number !== String(partitions)) {
    throw new StorageStartError(
      `PARTITIONS is ${partitions}, but the data was written with ${number}: set PARTITIONS=${number}`,
    );
  }
  if (hash !== PARTITION_HASH) {
    throw new StorageStartError(
      `this program spreads conversations by ${PARTITION_HASH}, but the data was written with ${hash}`,
    );
  }
}

function settingsOf(partitions: number) {
  return [
    { _id: 'partitions', value: String(partitions) },
    { _id: 'partition-hash', value: PARTITION_HASH },
  ] as const;
}

async function insertMissing<Document extends object>(
  collection: mongo.Collection<Document>,
  documents: readonly mongo.OptionalUnlessRequiredId<Document>[],
): Promise<void> {
  try {
    await collection.insertMany(documents, { ordered: false });
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
}

/** Conversation keys have no spaces. The conversation in front keeps what is looked up together together. */
export function dedupeId(conversation: ConversationKey, key: string): string {
  return `${conversation} ${key}`;
}

export function keyOfDedupeId(id: string): string {
  return id.slice(id.indexOf(' ') + 1);
}
