import type { Positions, ReplayCursor } from '@starling/bus';
import type { ConversationKey } from '@starling/protocol';
import { highest } from '../feed/positions.js';
import type { DeliveredMark, DeliveredMarks } from './delivered-mark.js';

export interface UnsavedDeliveries {
  readonly userId: string;
  readonly base: Positions | null;
  readonly cursors: ReplayCursor[];
}

/**
 * What was delivered to a user, by any of their connections here: everything up to `base`, and of some
 * conversations more. What a next login replays from.
 */
export class UserDeliveries {
  /** Connections that are counted. */
  connections = 0;
  private readonly marks: DeliveredMarks = new Map();
  private readonly unsaved = new Set<ConversationKey>();
  private isBaseUnsaved: boolean;

  /** @param savedAt when the store last heard of it, milliseconds since 1970. */
  constructor(
    readonly userId: string,
    public base: Positions,
    private savedAt: number,
    isSaved: boolean,
  ) {
    this.isBaseUnsaved = !isSaved;
  }

  markOf(conversation: ConversationKey): DeliveredMark | undefined {
    return this.marks.get(conversation);
  }

  get isUnsaved(): boolean {
    return this.isBaseUnsaved || this.unsaved.size > 0;
  }

  /** What the store has kept; takes nothing back. */
  kept(base: Positions, marks: DeliveredMarks): void {
    this.base = highest(this.base, base);
    for (const [conversation, mark] of marks) this.raise(conversation, mark);
  }

  confirmed(marks: DeliveredMarks, base: Positions | null): void {
    for (const [conversation, mark] of marks) {
      if (this.raise(conversation, mark)) this.unsaved.add(conversation);
    }
    if (base === null) return;
    const raised = highest(this.base, base);
    if (raised === this.base) return;
    this.base = raised;
    this.isBaseUnsaved = true;
    for (const [conversation, { partition, position }] of this.marks) {
      if (position > raised[partition]!) continue;
      this.marks.delete(conversation);
      this.unsaved.delete(conversation);
    }
  }

  /** Also true when only the lease is to be renewed. */
  isToBeSaved(now: number, leaseMs: number): boolean {
    return this.isUnsaved || now - this.savedAt >= leaseMs / 3;
  }

  takeUnsaved(now: number, leaseMs: number): UnsavedDeliveries {
    // After a lease has run out the store may know nothing of the user any more.
    if (now - this.savedAt > leaseMs) this.isBaseUnsaved = true;
    const conversations = this.isBaseUnsaved ? this.marks.keys() : this.unsaved;
    const cursors = [...conversations].map((conversation) => ({
      conversation,
      seq: this.marks.get(conversation)!.seq,
    }));
    const base = this.isBaseUnsaved ? this.base : null;
    this.isBaseUnsaved = false;
    this.unsaved.clear();
    return { userId: this.userId, base, cursors };
  }

  saved(at: number): void {
    this.savedAt = at;
  }

  notSaved({ base, cursors }: UnsavedDeliveries): void {
    if (base !== null) this.isBaseUnsaved = true;
    for (const { conversation } of cursors) if (this.marks.has(conversation)) this.unsaved.add(conversation);
  }

  private raise(conversation: ConversationKey, mark: DeliveredMark): boolean {
    if ((this.marks.get(conversation)?.seq ?? 0) >= mark.seq) return false;
    this.marks.set(conversation, mark);
    return true;
  }
}
