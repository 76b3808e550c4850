import type { StoredMessage } from '@starling/bus';
import type { ConversationKey } from '@starling/protocol';

interface Dated {
  readonly message: StoredMessage;
  /** Never falls within a conversation, so that what is dropped of one is its beginning. */
  readonly time: number;
}

/** Collects the newest messages of many conversations, never keeping many more than `limit`. */
export class NewestMessages {
  private dated: Dated[] = [];

  constructor(private readonly limit: number) {}

  /** The messages of one conversation in seq order; called once for each. */
  add(messages: readonly StoredMessage[]): void {
    let time = 0;
    for (const message of messages) {
      time = Math.max(time, message.serverTime);
      this.dated.push({ message, time });
    }
    if (this.dated.length > 2 * this.limit) this.drop();
  }

  /** In seq order, by conversation. */
  byConversation(): Map<ConversationKey, StoredMessage[]> {
    this.drop();
    const kept = this.dated.map(({ message }) => message).sort((a, b) => a.seq - b.seq);
    return Map.groupBy(kept, ({ conversation }) => conversation);
  }

  private drop(): void {
    if (this.dated.length <= this.limit) return;
    this.dated.sort((a, b) => b.time - a.time || b.message.seq - a.message.seq);
    this.dated.length = this.limit;
  }
}
