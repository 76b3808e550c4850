import type { ConversationKey } from '@starling/protocol';

/** Written into the store with the number of partitions: another hash would move conversations between logs. */
export const PARTITION_HASH = 'fnv1a-32';

/** The partition of a conversation: FNV-1a over the key's characters (keys are ASCII) modulo the number. */
export function partitionOf(conversation: ConversationKey, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < conversation.length; i++) {
    hash = Math.imul(hash ^ conversation.charCodeAt(i), 0x01000193);
  }
  return (hash >>> 0) % partitions;
}
