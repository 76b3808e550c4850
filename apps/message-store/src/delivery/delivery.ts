import { Inject, Injectable } from '@nestjs/common';
import type { StoredMessage } from '@starling/bus';
import { LOGGER } from '@starling/observability';
import { ROOM_EMITTER, roomsOf, type MessageEvent, type RoomEmitter } from '@starling/rooms';
import type { Logger } from 'pino';
import { StoreMetrics } from '../partitions/store-metrics.js';

/** Tells gateways of committed messages. A hint: whoever it does not reach repairs that from the store. */
@Injectable()
export class Delivery {
  constructor(
    @Inject(ROOM_EMITTER) private readonly emitter: RoomEmitter,
    private readonly metrics: StoreMetrics,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Messages of a conversation come in the order of their seqs. Never throws. */
  deliver(messages: readonly StoredMessage[]): void {
    for (const message of messages) {
      const event = eventOf(message);
      try {
        for (const room of roomsOf(event.conversation)) {
          this.emitter.emit(room, event);
          this.metrics.publishes.inc();
        }
      } catch (err) {
        this.logger.error({ err, messageId: event.messageId }, 'a stored message could not be emitted');
      }
    }
  }
}

function eventOf(message: StoredMessage): MessageEvent {
  return {
    kind: 'message',
    conversation: message.conversation,
    seq: message.seq,
    messageId: message.messageId,
    sender: message.sender,
    partition: message.partition,
    position: message.position,
    previousPosition: message.previousPosition,
    membershipVersion: message.membershipVersion,
    body: message.body,
  };
}
