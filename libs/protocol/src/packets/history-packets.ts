import { z } from 'zod';
import { Command } from '../commands.js';
import { chatType, failed, head, seq, succeeded, whole, type IdSchema } from './field-schemas.js';
import { messagePacket } from './message-packets.js';

/** `limit` of history and sync: messages of one conversation in one answer. */
export const MESSAGES_PER_ANSWER = { most: 200, byDefault: 50 } as const;

const limit = whole
  .min(1, { error: 'must be at least 1' })
  .max(MESSAGES_PER_ANSWER.most, { error: `must be at most ${MESSAGES_PER_ANSWER.most}` })
  .nullish();

const list = { error: 'must be a list' };
const address = { chatType: z.union([z.literal(0), z.literal(1)]), chatId: z.string() };
/** A refusal names the conversation as far as the request did. */
const refused = { ...failed, chatType: address.chatType.optional(), chatId: address.chatId.optional() };

export function historyRequest(id: IdSchema) {
  return z
    .looseObject({
      ...head(Command.History),
      chatType,
      chatId: id,
      /** Both exclusive, one of them at most; without, the newest messages. */
      before: seq.nullish(),
      after: seq.nullish(),
      limit,
    })
    .refine(({ before, after }) => (before ?? null) === null || (after ?? null) === null, {
      error: 'cannot stand beside after',
      path: ['before'],
    });
}

export function historyAnswer(id: IdSchema) {
  return z.discriminatedUnion('success', [
    z.object({
      ...head(Command.HistoryAnswer),
      ...succeeded,
      ...address,
      /** In seq order. */
      messages: z.array(messagePacket(id)),
      /** Whether there are more in the direction asked for. */
      more: z.boolean(),
      head: z.int(),
    }),
    z.object({ ...head(Command.HistoryAnswer), ...refused }),
  ]);
}

export function syncRequest(id: IdSchema) {
  return z.looseObject({
    ...head(Command.Sync),
    known: z
      .array(z.looseObject({ chatType, chatId: id, seq }, { error: 'must be an object' }), list)
      .nullish(),
    limit,
    /** Of the answer before; then `known` is the same list again. */
    cursor: z.string({ error: 'must be a string' }).nullish(),
  });
}

export function syncAnswer(id: IdSchema) {
  return z.discriminatedUnion('success', [
    z.object({
      ...head(Command.SyncAnswer),
      ...succeeded,
      conversations: z.array(
        z.object({
          ...address,
          head: z.int(),
          /** The user's read cursor. */
          read: z.int(),
          /** head − read. */
          unread: z.int(),
          last: messagePacket(id).nullable(),
          /** Those after the seq the client knew, in seq order, up to the limit. */
          messages: z.array(messagePacket(id)),
          /** Whether there are messages after the last of `messages`. */
          more: z.boolean(),
        }),
      ),
      /** Conversations of `known` that are no longer the user's. */
      removed: z.array(z.object(address)),
      /** Null on the last page. */
      cursor: z.string().nullable(),
    }),
    z.object({ ...head(Command.SyncAnswer), ...failed }),
  ]);
}

export function readRequest(id: IdSchema) {
  return z.looseObject({ ...head(Command.Read), chatType, chatId: id, seq });
}

export const readAnswer = z.discriminatedUnion('success', [
  /** `seq`: the cursor now in force. */
  z.object({ ...head(Command.ReadAnswer), ...succeeded, ...address, seq: z.int() }),
  z.object({ ...head(Command.ReadAnswer), ...refused }),
]);

/** To the user's other connections when the cursor moved. */
export const readPush = z.object({ ...head(Command.ReadPush), ...address, seq: z.int() });
