import { partitionOf, type Submit } from '@starling/bus';
import {
  groupConversation,
  parseConversation,
  privateConversation,
  type ConversationKey,
} from '@starling/protocol';
import { z } from 'zod';

const conversationKey = z
  .string()
  .regex(/^(g\.[\w-]+|p\.[\w-]+\.[\w-]+)$/)
  .refine(isAsWritten);

const schema = z.object({
  messageId: z.string().min(1),
  partition: z.int(),
  conversation: conversationKey,
  sender: z.string().min(1),
  clientId: z.union([z.string(), z.number()]),
  contentType: z.number(),
  content: z.string(),
  fields: z.string().min(1),
  membershipVersion: z.int().min(0),
});

/**
 * Why a submit cannot be a message at all, null when it can. Gateways check what clients send; this is for a
 * gateway that is wrong or of another version, so that it cannot stop a partition.
 */
export function faultOf(submit: Submit, partition: number, partitions: number): string | null {
  const parsed = schema.safeParse(submit);
  if (!parsed.success) return `${parsed.error.issues[0]?.path.join('.') || 'submit'} is not valid`;
  if (partitionOf(submit.conversation, partitions) !== partition)
    return 'the conversation is of another partition';
  if (submit.partition !== partition) return 'the submit names another partition';
  return null;
}

/** Not every text of the alphabet can be decoded, and one that comes back as another would be two conversations. */
function isAsWritten(key: string): boolean {
  try {
    const conversation = parseConversation(key as ConversationKey);
    return (
      key ===
      (conversation.kind === 'group'
        ? groupConversation(conversation.groupId)
        : privateConversation(...conversation.users))
    );
  } catch {
    return false;
  }
}
