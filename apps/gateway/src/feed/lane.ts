import type { Positions } from '@starling/bus';
import { parseConversation, type ConversationKey } from '@starling/protocol';
import { Delivery, type FeedMessage } from './delivery.js';

/** From where on a listener may see a conversation. */
export interface Entitlement {
  readonly base: Positions;
  /** Position at which the user became a member while bound; 0: before. */
  readonly position: number;
  /** The group's version with which they did; 0 in private conversations, and where nobody knows it any more. */
  readonly version: number;
}

/**
 * A listener's own place in a conversation while it may not follow the pod's: messages wait here, in order, until
 * - it is known where the listener begins (`joining`, or its base is still being read),
 * - what it missed while away has gone out (`replay`),
 * - a message of its own is answered.
 * Bounded: what does not fit is pulled from the store when its turn comes.
 */
export class Lane {
  /** Null in private conversations. */
  readonly groupId: string | null;
  /** Messages the listener missed while away, or while its join was not known here; they go first. */
  private earlier: Delivery[] = [];
  private queue: Delivery[] = [];
  gate: 'joining' | 'replay' | null = null;
  /** Below the position the listener will begin at, while that is being read; null when nothing is known of it. */
  bound: Positions | null = null;
  /** Null until known. */
  entitlement: Entitlement | null = null;
  /** Highest seq that came in here or was pulled. */
  private last = 0;
  /** Highest seq that did not fit; 0 when all did. */
  private missed = 0;
  pulling = false;
  pullsInVain = 0;

  constructor(
    readonly conversation: ConversationKey,
    private readonly limit: number,
  ) {
    const parsed = parseConversation(conversation);
    this.groupId = parsed.kind === 'group' ? parsed.groupId : null;
  }

  /** What the pod delivers to others now. */
  push(delivery: Delivery): void {
    if (delivery.seq <= this.last || delivery.seq <= this.missed) return;
    if (this.missed > 0 || this.queue.length >= this.limit) {
      this.missed = delivery.seq;
      return;
    }
    this.last = delivery.seq;
    if (this.entitlement === null || this.admits(delivery.message)) this.queue.push(delivery);
  }

  replay(messages: readonly FeedMessage[]): void {
    this.earlier = messages.map((message) => new Delivery(message));
  }

  get first(): Delivery | undefined {
    return this.earlier[0] ?? this.queue[0];
  }

  shift(): void {
    if (this.earlier.shift() === undefined) this.queue.shift();
  }

  entitle(entitlement: Entitlement): void {
    this.entitlement = entitlement;
    this.queue = this.queue.filter(({ message }) => this.admits(message));
  }

  /** The seqs to pull, both inclusive, once the queue is empty; null when none are missing. */
  get missing(): { from: number; to: number } | null {
    return this.missed > this.last ? { from: this.last + 1, to: this.missed } : null;
  }

  pulled(seq: number, delivery: Delivery | null): void {
    if (seq <= this.last) return;
    this.last = seq;
    if (this.last >= this.missed) this.missed = 0;
    if (delivery !== null && this.admits(delivery.message)) this.queue.push(delivery);
  }

  /** Whether the seq has gone out, or was not for this listener. */
  hasPassed(seq: number): boolean {
    return seq < (this.first?.seq ?? this.last + 1);
  }

  private admits(message: FeedMessage): boolean {
    return this.entitlement !== null && isEntitled(this.entitlement, message);
  }
}

export function isEntitled({ base, position, version }: Entitlement, message: FeedMessage): boolean {
  return (
    message.position > base[message.partition]! &&
    message.position > position &&
    message.membershipVersion >= version
  );
}
