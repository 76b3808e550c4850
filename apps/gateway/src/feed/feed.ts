import { Injectable } from '@nestjs/common';
import type { Positions } from '@starling/bus';
import type { ConversationKey } from '@starling/protocol';
import type { MessageEvent } from '@starling/rooms';
import type { Connection } from '../connection/connection.js';

/** What the store made of a submit: the message's first packet, also when this one was a retry. */
export interface StoredOutcome {
  readonly conversation: ConversationKey;
  readonly seq: number;
  readonly messageId: string;
}

@Injectable()
export class Feed {
  begin(_connection: Connection): void {}
  attach(_connection: Connection, _base: Positions): void {}
  detach(_connection: Connection): void {}

  /** Called before each submit: the connection's own copy of the message waits for its answer. */
  submitting(_connection: Connection, _messageId: string): void {}

  /**
   * Called after the answer was sent. `outcome` null: none was stored as far as known; the copy goes out if
   * it comes.
   */
  answered(_connection: Connection, _messageId: string, _outcome: StoredOutcome | null): void {}

  receive(_event: MessageEvent): void {}

  /** To be called when room broadcasts may have been lost (a reconnect to their carrier). */
  onReconnect(): void {}
}
