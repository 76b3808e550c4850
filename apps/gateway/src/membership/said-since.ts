import { MessageStoreRequest, type RequestClient, type StoredMessage } from '@starling/bus';
import type { ConversationKey } from '@starling/protocol';

/** Most joins were heard of at once, and little was said since. */
const FIRST_PAGE = 20;
const PAGE = 200;

export interface Said {
  readonly conversation: ConversationKey;
  /** The group's version with which the user became a member. */
  readonly version: number;
  /** Inclusive. */
  readonly position: number;
  /** The newest so many. */
  readonly limit: number;
}

/**
 * What was said in a group from a version of it up to a position, in seq order. Rejects with a Refusal when the store
 * does not answer.
 */
export async function saidSince(requests: RequestClient, said: Said): Promise<StoredMessage[]> {
  const { conversation, version, position, limit } = said;
  const found: StoredMessage[] = [];
  let before: number | null = null;
  let isMore = limit > 0;
  while (isMore) {
    const page: { messages: StoredMessage[]; more: boolean } = await requests.request(
      MessageStoreRequest.history,
      { conversation, before, after: null, limit: before === null ? FIRST_PAGE : PAGE },
    );
    const since = page.messages.filter(({ membershipVersion }) => membershipVersion >= version);
    found.unshift(...since.filter((message) => message.position <= position));
    before = page.messages[0]?.seq ?? null;
    isMore = page.more && since.length === page.messages.length && found.length < limit;
  }
  return found.slice(-limit);
}
