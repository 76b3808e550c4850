import type { StoredMessage } from '@starling/bus';
import type { ConversationKey } from '@starling/protocol';

/**
 * What one answer may hold, so that no request makes a process hold much more, and so that it passes through NATS,
 * which takes 1 MiB by default. The rest is room for what the sizes below do not count, and for the one message that a
 * page holds whatever its size.
 */
export const PAGE_BYTES = 768 << 10;

/** At most, since counting exactly would mean to serialise twice: names and numbers in JSON, with their punctuation. */
const MESSAGE_BYTES = 280;
const CONVERSATION_BYTES = 120;
/** Of a character of a body, which is JSON text: in UTF-8, or as `\"` or `\\`. */
const BODY_CHARACTER_BYTES = 3;
/** Of a character of an id: control characters are escaped. Keys are ASCII. */
const ID_CHARACTER_BYTES = 6;

/** In bytes of JSON, at most. */
export function sizeOf({ conversation, messageId, sender, body }: StoredMessage): number {
  const ids = (messageId.length + sender.length) * ID_CHARACTER_BYTES;
  return MESSAGE_BYTES + conversation.length + ids + body.length * BODY_CHARACTER_BYTES;
}

/** The same of what is told of a conversation besides its messages. */
export function sizeOfConversation({ conversation }: { conversation: ConversationKey }): number {
  return CONVERSATION_BYTES + conversation.length;
}

/** The first ones that fill a page, at least one. */
export function fitting<Item>(items: Item[], size: (item: Item) => number): Item[] {
  let bytes = 0;
  const end = items.findIndex((item, index) => (bytes += size(item)) > PAGE_BYTES && index > 0);
  return end === -1 ? items : items.slice(0, end);
}
