import type { ConversationKey } from '@starling/protocol';

/** How far a conversation has been delivered: `seq` and everything before it. */
export interface DeliveredMark {
  readonly seq: number;
  readonly partition: number;
  /** At least the position of `seq`'s message. */
  readonly position: number;
}

export type DeliveredMarks = Map<ConversationKey, DeliveredMark>;
