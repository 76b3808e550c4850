import type { Delivery, Tombstone } from './delivery.js';

/**
 * Messages of one conversation that wait for an earlier one, in seq order. Bounded: when full, the lowest seqs
 * stay, since they are due first; what gave way is pulled from the store when its turn comes.
 */
export class PendingMessages {
  private readonly waiting: (Delivery | Tombstone)[] = [];

  constructor(private readonly limit: number) {}

  get first(): Delivery | Tombstone | undefined {
    return this.waiting[0];
  }

  get size(): number {
    return this.waiting.length;
  }

  shift(): void {
    this.waiting.shift();
  }

  /** False when the seq waits already. */
  add(item: Delivery | Tombstone): boolean {
    let at = this.waiting.length;
    while (at > 0 && this.waiting[at - 1]!.seq > item.seq) at--;
    if (at > 0 && this.waiting[at - 1]!.seq === item.seq) return false;
    if (at === this.limit) return true;
    this.waiting.splice(at, 0, item);
    if (this.waiting.length > this.limit) this.waiting.pop();
    return true;
  }
}
