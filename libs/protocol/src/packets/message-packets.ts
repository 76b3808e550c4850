import { z } from 'zod';
import { Command } from '../commands.js';
import { chatType, flag, head, number, optionalText, text, whole, type IdSchema } from './field-schemas.js';

function messageFields(id: IdSchema) {
  return {
    contentType: whole,
    content: text,
    /** The sender's clock, milliseconds. */
    createTime: number.nullish(),
    /** The sender's own message id; `1` and `"1"` are two ids. */
    hasBeenSentId: z.union([z.number(), id], { error: 'must be a number that a double holds, or an id' }),
    fromUserId: id.nullish(),
    fromUserName: optionalText,
    fromUserHeadImg: optionalText,
    userId: id.nullish(),
    /** A user, or the group when `chatType` is 1. */
    toUserId: id,
    toUserName: optionalText,
    toUserHeadImg: optionalText,
    chatType,
  };
}

export function sendMessageRequest(id: IdSchema) {
  return z.looseObject({ ...head(Command.SendMessage), ...messageFields(id), isItMe: flag.nullish() });
}

/** What every receiver of a stored message is sent, and its sender as the acknowledgement. */
export function messagePacket(id: IdSchema) {
  return z.looseObject({
    ...head(Command.Message),
    ...messageFields(id),
    isItMe: z.boolean(),
    success: z.literal(true),
    fromUserId: id,
    userId: id,
    messageId: z.string(),
    /** Of the conversation: 1, 2, 3 … without gaps. */
    seq: z.int(),
    /** Milliseconds since 1970. */
    serverTime: z.int(),
  });
}

/** Answer to a message with empty content: it went nowhere. */
export function unstoredMessage(id: IdSchema) {
  return z.looseObject({
    ...head(Command.Message),
    ...messageFields(id),
    isItMe: z.literal(true),
    success: z.literal(true),
    content: z.literal(''),
    messageId: z.undefined().optional(),
  });
}

/** To the sender alone. The request's fields are echoed where they could be read, right or wrong. */
export const refusedMessage = z.looseObject({
  ...head(Command.Message),
  isItMe: z.literal(true),
  success: z.literal(false),
  errorMsg: z.string(),
  errorCode: z.int(),
});

/** Whatever may come as command 4. */
export function messageAnswer(id: IdSchema) {
  return z.union([messagePacket(id), unstoredMessage(id), refusedMessage]);
}
