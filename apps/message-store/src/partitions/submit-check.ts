import { partitionOf, type Submit } from '@starling/bus';
import { z } from 'zod';

const conversationKey = z.string().regex(/^(g\.[\w-]*|p\.[\w-]*\.[\w-]*)$/);

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
  return null;
}
