import type { ConversationKey } from '@starling/protocol';
import { requestPattern } from './pattern.js';

/**
 * One number for each partition: everything committed at or below it has been seen. Positions are the log's
 * (`LogPosition.position`), so within a partition they order messages of different conversations.
 */
export type Positions = readonly number[];

export interface StoredMessage {
  readonly conversation: ConversationKey;
  readonly seq: number;
  readonly messageId: string;
  readonly sender: string;
  /** Milliseconds since 1970. */
  readonly serverTime: number;
  readonly partition: number;
  readonly position: number;
  /** Position of the message with seq - 1; 0 for the first. */
  readonly previousPosition: number;
  /** The group's membership version that held when it was stored; 0 in private conversations. */
  readonly membershipVersion: number;
  /**
   * The packet as the wire shows it, one JSON text without its braces and without `version`, `command` and
   * `isItMe`, which each receiver's frame adds in front. Serialised once, by the message-store.
   */
  readonly body: string;
}

export interface RepairRequest {
  readonly conversation: ConversationKey;
  readonly from: number;
  readonly to: number;
  readonly afterPosition: number;
}

export interface RepairReply {
  readonly entries: RepairEntry[];
  /**
   * The conversation's head as the answering store knows it: below what was asked for, that store is behind another and
   * the rest may yet come. Absent from stores of the version before it.
   */
  readonly head?: number | undefined;
}

/** What repair answers for a seq: every one asked for is answered. */
export type RepairEntry =
  | { readonly seq: number; readonly message: StoredMessage }
  /** Not to be had any more (removed by retention): go on as if delivered. */
  | { readonly seq: number; readonly message: null };

export interface TouchedConversation {
  readonly conversation: ConversationKey;
  readonly partition: number;
  readonly head: number;
  readonly headPosition: number;
}

export interface ReplayCursor {
  readonly conversation: ConversationKey;
  readonly seq: number;
}

export interface SyncedConversation {
  readonly conversation: ConversationKey;
  readonly head: number;
  readonly read: number;
  /** The newest message; null in a conversation without any. */
  readonly last: StoredMessage | null;
  /** Messages after the known seq in seq order, up to the limit. */
  readonly missing: StoredMessage[];
  /** True when messages after the last of `missing` exist. */
  readonly more: boolean;
}

export const MessageStoreRequest = {
  /** The committed position of every partition, read after the request arrived. */
  positions: requestPattern<Record<string, never>, { positions: Positions }>('messages.positions'),
  /** Messages in seq order. `before` and `after` are exclusive; with neither, the newest. */
  history: requestPattern<
    { conversation: ConversationKey; before: number | null; after: number | null; limit: number },
    { messages: StoredMessage[]; more: boolean; head: number }
  >('messages.history'),
  /**
   * Seqs `from` to `to`, both inclusive, of messages after `afterPosition` (0: all); at most 500 are answered, fewer
   * where they are large, from the lowest. Where the position excludes seqs at the beginning, the answer starts later than `from`.
   */
  repair: requestPattern<RepairRequest, RepairReply>('messages.repair'),
  /**
   * Conversations with a message after the positions, oldest head first, at most `limit`, fewer where their keys are
   * long. With `userId`, only the private ones of that user and those of `groupIds`; without, all. `more`: ask again
   * from `reached`.
   */
  touched: requestPattern<
    { after: Positions; userId: string | null; groupIds: string[]; limit: number },
    { conversations: TouchedConversation[]; more: boolean; reached: Positions }
  >('messages.touched'),
  /**
   * The user's conversations: private ones from the store, groups as the asker names them (it knows the
   * memberships). Pages by `cursor` (opaque; null for the first page, null in the reply on the last).
   */
  sync: requestPattern<
    {
      userId: string;
      groupIds: string[];
      known: { conversation: ConversationKey; seq: number }[];
      limit: number;
      cursor: string | null;
    },
    { conversations: SyncedConversation[]; cursor: string | null }
  >('messages.sync'),
  /** Moves the user's read cursor up to `seq`, at most to the head, never back; answers the one in force. */
  read: requestPattern<
    { userId: string; conversation: ConversationKey; seq: number },
    { seq: number; moved: boolean }
  >('messages.read'),
  /**
   * Delivery positions of users whose clients never sync (see gateway/replay). `base` is what a login began
   * from; `cursors` are what was confirmed since, per conversation. Each save renews the lease.
   */
  saveReplay: requestPattern<
    { entries: { userId: string; base: Positions | null; cursors: ReplayCursor[] }[]; leaseMs: number },
    Record<string, never>
  >('messages.save-replay'),
  /** Null when nothing is kept or the lease is over. */
  loadReplay: requestPattern<
    { userId: string },
    { replay: { base: Positions; cursors: ReplayCursor[] } | null }
  >('messages.load-replay'),
} as const;
