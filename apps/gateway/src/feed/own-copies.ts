import type { Lane } from './lane.js';

/** Acknowledged messages whose copies have not come; far above what a connection may have unanswered. */
const ACKNOWLEDGED_MAX = 10_000;

/**
 * The messages one connection sent itself: the answer to a send shows the message, so the copy from the feed
 * must not show it again, and must, when no answer came.
 */
export class OwnCopies {
  /** Unanswered submits, each with the lane that waits for its answer. */
  private readonly unanswered = new Map<string, Lane | null>();
  /** Answered as stored before their copy came, with the check round of that time. */
  private readonly acknowledged = new Map<string, number>();

  submitting(messageId: string): void {
    this.unanswered.set(messageId, null);
  }

  /** The lane that waited for the answer, if its copy came first. */
  answered(messageId: string): Lane | null {
    const lane = this.unanswered.get(messageId) ?? null;
    this.unanswered.delete(messageId);
    return lane;
  }

  acknowledge(messageId: string, round: number): void {
    this.acknowledged.set(messageId, round);
    if (this.acknowledged.size <= ACKNOWLEDGED_MAX) return;
    for (const oldest of this.acknowledged.keys()) {
      this.acknowledged.delete(oldest);
      break;
    }
  }

  /** Whether the copy must wait until the answer decides. */
  isUndecided(messageId: string): boolean {
    return this.unanswered.has(messageId) && !this.acknowledged.has(messageId);
  }

  await(messageId: string, lane: Lane): void {
    this.unanswered.set(messageId, lane);
  }

  /** True, once, for a copy whose message the connection was shown as an answer. */
  takeAcknowledged(messageId: string): boolean {
    return this.acknowledged.delete(messageId);
  }

  /** Whatever was acknowledged before `round` began has passed the feed. */
  settled(round: number): void {
    for (const [messageId, since] of this.acknowledged) {
      if (since < round) this.acknowledged.delete(messageId);
    }
  }
}
