import type { ConversationKey } from '@starling/protocol';
import type { Head } from '../repository/message-repository.js';

/** Conversations whose head a leader remembers. */
const REMEMBERED = 5000;

/** Heads that the partition's leader has itself committed or read since; least recently used first. */
export class HeadCache {
  private readonly heads = new Map<ConversationKey, Head>();

  get(conversation: ConversationKey): Head | undefined {
    return this.heads.get(conversation);
  }

  set(conversation: ConversationKey, head: Head): void {
    this.heads.delete(conversation);
    this.heads.set(conversation, head);
    if (this.heads.size <= REMEMBERED) return;
    for (const oldest of this.heads.keys()) {
      this.heads.delete(oldest);
      return;
    }
  }

  /** After any commit that was not made: nothing read before it can be trusted. */
  drop(): void {
    this.heads.clear();
  }
}
