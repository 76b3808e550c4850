import type { StoredOutcome } from '../repository/message-repository.js';

/** Messages that a leader remembers: many times what a partition stores while a sender waits for an answer. */
const REMEMBERED = 5000;

/**
 * What the partition's leader has itself stored of late, by dedupe key; what is stored stays so, whoever leads. Senders
 * who were not answered in time send again while the store is slow: finding those here costs the store nothing, which
 * would otherwise get slower still by their retries.
 */
export class RecentOutcomes {
  private readonly outcomes = new Map<string, StoredOutcome>();

  get(key: string): StoredOutcome | undefined {
    return this.outcomes.get(key);
  }

  /** Only what is known to be committed. */
  add(key: string, outcome: StoredOutcome): void {
    this.outcomes.set(key, outcome);
    if (this.outcomes.size <= REMEMBERED) return;
    for (const oldest of this.outcomes.keys()) {
      this.outcomes.delete(oldest);
      return;
    }
  }
}
