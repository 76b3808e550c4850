import type { ConversationKey } from '@starling/protocol';

/** Written into the store with the number of partitions: another hash would move conversations between logs. */
export const PARTITION_HASH = 'fnv1a-32, fmix32';

/** The partition of a conversation: FNV-1a over the key's characters (keys are ASCII), mixed, modulo the number. */
export function partitionOf(conversation: ConversationKey, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < conversation.length; i++) {
    hash = Math.imul(hash ^ conversation.charCodeAt(i), 0x01000193);
  }
  return (mixed(hash) >>> 0) % partitions;
}

/**
 * The finalizer of MurmurHash3. The low bits of FNV-1a depend on the low bits of the characters alone, so that modulo
 * a power of two conversations with names alike crowd in a few partitions.
 */
function mixed(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
