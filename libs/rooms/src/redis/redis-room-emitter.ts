import type { RedisClient } from '@starling/redis';
import { Counter, type Registry } from 'prom-client';
import type { RoomEmitter } from '../room-emitter.js';
import type { RoomEvent } from '../room-event.js';
import type { RoomName } from '../room-names.js';
import { roomChannel } from './room-channel.js';
import { encodeBroadcast, encodeEvent } from './room-event-wire.js';

/** Characters that may be on their way to a Redis that does not answer. A hint is not worth more memory. */
const MAX_UNANSWERED = 32 << 20;

/**
 * Publishes to the pods that have a member, as the sharded adapter of a Socket.IO server without sockets would, at
 * a fraction of the cost: that server also encodes each packet for sockets it does not have. While Redis is away
 * events are dropped at once, so that `emit` never throws, waits or keeps anything.
 */
export class RedisRoomEmitter implements RoomEmitter {
  private unanswered = 0;
  /** The last event, since a private message goes to two rooms. */
  private encoded: { event: RoomEvent; text: string } | null = null;
  private readonly published: () => void;
  private readonly dropped: () => void;

  /** The client must reject commands while Redis is away, and have no timeout, which would cost a timer each. */
  constructor(
    private readonly publisher: RedisClient,
    private readonly installation: string,
    metrics: Registry,
  ) {
    const emits = new Counter({
      name: 'starling_room_emits_total',
      help: 'Room events published to Redis, and dropped because it was away',
      labelNames: ['result'],
      registers: [metrics],
    });
    const published = emits.labels('published');
    const dropped = emits.labels('dropped');
    this.published = () => published.inc();
    this.dropped = () => dropped.inc();
  }

  emit(room: RoomName, event: RoomEvent): void {
    if (!this.publisher.isReady || this.unanswered > MAX_UNANSWERED) {
      this.dropped();
      return;
    }
    if (this.encoded?.event !== event) this.encoded = { event, text: encodeEvent(event) };
    const broadcast = encodeBroadcast(room, this.encoded.text);
    const { length } = broadcast;
    this.unanswered += length;
    this.publisher.sendCommand(['SPUBLISH', roomChannel(this.installation, room), broadcast]).then(
      () => {
        this.unanswered -= length;
        this.published();
      },
      () => {
        this.unanswered -= length;
        this.dropped();
      },
    );
  }
}
