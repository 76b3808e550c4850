import { z } from 'zod';
import { ChatType, Command, type CommandNumber } from '../commands.js';
import { chatType, failed, head, succeeded, type IdSchema } from './field-schemas.js';

export function joinGroupRequest(id: IdSchema) {
  return z.looseObject({ ...head(Command.JoinGroup), chatId: id, userId: id.nullish(), chatType });
}

export function quitGroupRequest(id: IdSchema) {
  return z.looseObject({
    ...head(Command.QuitGroup),
    chatId: id,
    userId: id.nullish(),
    chatType: chatType.nullish(),
  });
}

/** The answer of both: `chatId` is the request's. */
function chatAnswer<Command extends CommandNumber>(command: Command) {
  return z.discriminatedUnion('success', [
    z.object({ ...head(command), ...succeeded, chatId: z.string() }),
    z.object({ ...head(command), ...failed, chatId: z.string().optional() }),
  ]);
}

export const joinGroupAnswer = chatAnswer(Command.JoinGroupAnswer);
export const quitGroupAnswer = chatAnswer(Command.QuitGroupAnswer);

/** To the user concerned; `dissolved` to every member. */
export const membershipPush = z.object({
  ...head(Command.MembershipPush),
  chatType: z.literal(ChatType.Group),
  chatId: z.string(),
  change: z.enum(['added', 'removed', 'role', 'dissolved']),
  /** The role now held; null when none. */
  role: z.enum(['owner', 'admin', 'member']).nullable(),
  /** Who did it; null for an administrator of the server. */
  by: z.string().nullable(),
  /** The group's version after the change: each change raises it by 1. */
  groupVersion: z.int(),
});
