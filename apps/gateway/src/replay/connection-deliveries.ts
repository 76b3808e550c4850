import type { Positions } from '@starling/bus';
import type { ConversationKey } from '@starling/protocol';
import type { Connection } from '../connection/connection.js';
import type { Session } from '../connection/session.js';
import type { FeedMessage } from '../feed/delivery.js';
import type { DeliveryObserver } from '../feed/listener.js';
import type { DeliveredMark, DeliveredMarks } from './delivered-mark.js';
import type { UserDeliveries } from './user-deliveries.js';

interface Written {
  readonly marks: DeliveredMarks;
  base: Positions | null;
}

/** What was written to one connection and is not confirmed by its client's side yet. */
export class ConnectionDeliveries implements DeliveryObserver {
  private written: Written = { marks: new Map(), base: null };
  /** What the client's side is being asked for. */
  private asked: Written | null = null;

  constructor(
    readonly connection: Connection,
    readonly session: Session,
    readonly user: UserDeliveries,
    private readonly onJoined: (conversation: ConversationKey, position: number) => void,
  ) {}

  delivered({ conversation, seq, partition, position }: FeedMessage): void {
    this.passed(conversation, { seq, partition, position });
  }

  /** Delivered, or not to be delivered any more. */
  passed(conversation: ConversationKey, mark: DeliveredMark): void {
    const { marks } = this.written;
    if ((marks.get(conversation)?.seq ?? 0) < mark.seq) marks.set(conversation, mark);
  }

  settled(positions: Positions): void {
    // What came after it began to close was not written.
    if (this.connection.isOpen) this.written.base = positions;
  }

  joined(conversation: ConversationKey, position: number): void {
    this.onJoined(conversation, position);
  }

  /** Asks the client's side, unless nothing was written or it is being asked already. */
  async confirm(): Promise<void> {
    const { written } = this;
    if (this.asked !== null || (written.marks.size === 0 && written.base === null)) return;
    this.asked = written;
    this.written = { marks: new Map(), base: null };
    // False only when the connection has ended.
    if (await this.connection.confirmed()) {
      this.asked = null;
      this.user.confirmed(written.marks, written.base);
    }
  }

  /** The client said goodbye after it had read everything. */
  allRead(): void {
    for (const { marks, base } of [...(this.asked ? [this.asked] : []), this.written]) {
      this.user.confirmed(marks, base);
    }
  }
}
