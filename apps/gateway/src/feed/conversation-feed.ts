import { roomsOf, type RoomName } from '@starling/rooms';
import { parseConversation, type ConversationKey } from '@starling/protocol';
import { PendingMessages } from './pending-messages.js';

/** What this pod has delivered of one conversation with local listeners. */
export class ConversationFeed {
  /** Null in private conversations. */
  readonly groupId: string | null;
  /** Whose local members are the listeners: the group's, or those of both users. */
  readonly rooms: readonly RoomName[];
  /** Highest seq that was delivered, with all before it; null until it is known where to begin. */
  delivered: number | null = null;
  /** At most the position of `delivered`; nothing at or below it is due to anybody. */
  deliveredPosition = 0;
  /** Highest seq heard of. */
  target = 0;
  readonly pending: PendingMessages;
  /** A pull from the store is under way. */
  pulling = false;
  /** Pulls in a row that brought nothing new, or not all of it because the store was behind. */
  pullsInVain = 0;
  ended = false;

  constructor(
    readonly conversation: ConversationKey,
    readonly partition: number,
    bufferMax: number,
  ) {
    const parsed = parseConversation(conversation);
    this.groupId = parsed.kind === 'group' ? parsed.groupId : null;
    this.rooms = roomsOf(conversation);
    this.pending = new PendingMessages(bufferMax);
  }

  get isBehind(): boolean {
    return this.delivered === null || this.delivered < this.target;
  }
}
