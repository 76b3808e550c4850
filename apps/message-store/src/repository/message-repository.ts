import type {
  LogPosition,
  LossRecord,
  Positions,
  ReplayCursor,
  StoredMessage,
  TouchedConversation,
} from '@starling/bus';
import type { ConversationKey } from '@starling/protocol';

/** A partition's document: who may write to it and how far its log has been dealt with. */
export interface PartitionState extends LogPosition {
  /** Given by the store to each opening, always higher; a commit under an older one is void. */
  readonly epoch: number;
}

/** Seq and position of a conversation's newest message; both 0 before the first. */
export interface Head {
  readonly seq: number;
  readonly position: number;
}

/** What makes two packets the same message; `key` holds the conversation too, which stands beside it for locality. */
export interface DedupeKey {
  readonly conversation: ConversationKey;
  readonly key: string;
}

export interface NewMessage {
  readonly message: StoredMessage;
  readonly dedupeKey: string;
}

export interface HeadMove {
  readonly conversation: ConversationKey;
  /** What the head was when seqs were given: the commit is refused when it is another one now. */
  readonly from: number;
  readonly to: Head;
  /** The two users of a private conversation (one when they are the same); empty for groups. */
  readonly participants: readonly string[];
}

/** A submit that nothing could store, kept for whoever looks into it. */
export interface SetAsideSubmit {
  readonly position: number;
  readonly messageId: string | null;
  readonly reason: string;
  /** JSON; null when even this could not be stored. */
  readonly submit: string | null;
}

/** One commit of a partition's leader: all of it or nothing, and only while epoch and position are as it says. */
export interface Batch {
  readonly partition: number;
  readonly epoch: number;
  readonly from: number;
  readonly to: LogPosition;
  readonly messages: readonly NewMessage[];
  readonly heads: readonly HeadMove[];
  readonly setAside: SetAsideSubmit | null;
}

export type CommitResult =
  | 'committed'
  /** Epoch or position are not the batch's: read the partition again. Nothing was changed. */
  | 'void'
  /** A seq, a dedupe key or a head was taken meanwhile: look up again. Nothing was changed. */
  | 'conflict'
  /** Something in the batch can never be stored. Nothing was changed. */
  | 'unstorable';

export interface StoredOutcome {
  readonly messageId: string;
  readonly seq: number;
  readonly serverTime: number;
}

/** Seqs of one conversation, both ends inclusive. */
export interface SeqRange {
  readonly conversation: ConversationKey;
  readonly from: number;
  readonly to: number;
}

export interface ReplayEntry {
  readonly userId: string;
  readonly base: Positions | null;
  readonly cursors: readonly ReplayCursor[];
}

/**
 * Messages, heads, read and replay cursors. The one owner of their tables.
 *
 * Every method rejects when the store is unavailable; a commit that rejects may have taken effect. What has
 * resolved is durable and seen by every later call, of any process.
 */
export interface MessageRepository {
  /** Opens a partition for a new leader: from now on commits under earlier epochs are void. */
  takeEpoch(partition: number): Promise<PartitionState>;
  partition(partition: number): Promise<PartitionState>;
  /** The position of every partition. */
  positions(): Promise<Positions>;
  commit(batch: Batch): Promise<CommitResult>;
  /** Keeps it for whoever looks into it; false when it is kept already: every opening may find the same again. */
  recordLoss(loss: LossRecord): Promise<boolean>;

  /** Heads by conversation; without those that have no message. */
  heads(conversations: readonly ConversationKey[]): Promise<Map<ConversationKey, Head>>;
  /** Which of the keys are stored, and as what. */
  stored(keys: readonly DedupeKey[]): Promise<Map<string, StoredOutcome>>;

  /** Range by range in the order given, seqs ascending; seqs that are not stored are left out. */
  messages(ranges: readonly SeqRange[]): Promise<StoredMessage[]>;
  /** Positions of the range's messages, seqs ascending. */
  messagePositions(range: SeqRange): Promise<{ seq: number; position: number }[]>;
  /** Conversations of a partition whose head is after the position, oldest head first. */
  touchedIn(partition: number, after: number, limit: number): Promise<TouchedConversation[]>;
  /** Those of the user's private conversations and of `groups` with a head after `after`, by partition, oldest head first. */
  touchedOf(
    userId: string,
    groups: readonly ConversationKey[],
    after: Positions,
    limit: number,
  ): Promise<TouchedConversation[]>;
  /** The user's private conversations in the order of their keys, after the key given. */
  privateConversations(
    userId: string,
    after: ConversationKey | null,
    limit: number,
  ): Promise<ConversationKey[]>;

  /** The user's cursors; without conversations never read. */
  readCursors(
    userId: string,
    conversations: readonly ConversationKey[],
  ): Promise<Map<ConversationKey, number>>;
  /** Up to `seq`, at most to the head, never back; answers the cursor in force. */
  moveReadCursor(
    userId: string,
    conversation: ConversationKey,
    seq: number,
  ): Promise<{ seq: number; moved: boolean }>;

  /**
   * A `base` starts the user's replay anew; without one the entry's cursors join the base kept (never going back)
   * and are ignored when none is. Kept until `expiresAt`, milliseconds since 1970.
   */
  saveReplay(entries: readonly ReplayEntry[], now: number, expiresAt: number): Promise<void>;
  loadReplay(userId: string, now: number): Promise<{ base: Positions; cursors: ReplayCursor[] } | null>;
}

export const MESSAGE_REPOSITORY = Symbol('MessageRepository');
