import { Inject, Injectable } from '@nestjs/common';
import type { StoredMessage, TouchedConversation } from '@starling/bus';
import { LOGGER, TRACER, type Span, type Tracer } from '@starling/observability';
import { ROOM_EMITTER, roomsOf, type HeadEvent, type MessageEvent, type RoomEmitter } from '@starling/rooms';
import type { Logger } from 'pino';
import type { CommittedTraces } from '../partitions/commit-spans.js';
import { StoreMetrics } from '../partitions/store-metrics.js';

/** Tells gateways of committed messages. A hint: whoever it does not reach repairs that from the store. */
@Injectable()
export class Delivery {
  constructor(
    @Inject(ROOM_EMITTER) private readonly emitter: RoomEmitter,
    private readonly metrics: StoreMetrics,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(TRACER) private readonly tracer: Tracer | null,
  ) {}

  /**
   * Messages of a conversation come in the order of their seqs. `traces`: of the messages whose traces are recorded;
   * null where there are none. Never throws.
   */
  deliver(messages: readonly StoredMessage[], traces: CommittedTraces | null): void {
    for (const message of messages) {
      const span = traces === null ? null : this.spanOf(message, traces);
      const event = eventOf(message, span?.traceparent);
      try {
        for (const room of roomsOf(event.conversation)) {
          this.emitter.emit(room, event);
          this.metrics.publishes.inc();
        }
      } catch (err) {
        this.logger.error({ err, messageId: event.messageId }, 'a stored message could not be emitted');
      }
      span?.end();
    }
  }

  /** Who has delivered less of a conversation pulls the rest. Never throws. */
  announce(conversations: readonly TouchedConversation[]): void {
    for (const { conversation, partition, head, headPosition } of conversations) {
      const event: HeadEvent = { kind: 'head', conversation, partition, head, headPosition };
      try {
        for (const room of roomsOf(conversation)) this.emitter.emit(room, event);
      } catch (err) {
        this.logger.error({ err, partition }, 'the head of a conversation could not be emitted');
      }
    }
  }

  private spanOf({ messageId }: StoredMessage, traces: CommittedTraces): Span | null {
    const parent = traces.get(messageId);
    return (parent !== undefined && this.tracer?.start('emit', { parent, role: 'producer' })) || null;
  }
}

function eventOf(message: StoredMessage, traceparent: string | undefined): MessageEvent {
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
    traceparent,
  };
}
