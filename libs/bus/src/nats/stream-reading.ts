import { setTimeout as sleep } from 'node:timers/promises';
import { AckPolicy, DeliverPolicy } from '@nats-io/jetstream';
import { createInbox, nanos, type Msg, type MsgHdrs, type Subscription } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { BusConnection } from './nats-connection.js';

/** How long the server keeps the consumer of a reader that died, or that has no room for more. */
const FORGOTTEN_AFTER_MS = 60_000;
const REQUEST_EXPIRES_MS = 30_000;
/** Of the messages that wait here; twice what the server takes at most where that is more, or the largest never came. */
const WAITING_BYTES_MAX = 8 << 20;
const HEADERS_BYTES = 64 << 10;
/** Status 409 has many reasons, and these two only say that a request is over. */
const BYTES_USED_UP = 'Message Size Exceeds MaxBytes';
const ALL_BROUGHT = 'Batch Completed';
const HEARTBEAT_MS = 2000;
const SILENCE_MS = 5000;
const WATCH_MS = 1000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1000;

export interface StreamMessage {
  /** Its sequence number in the stream. */
  readonly position: number;
  readonly data: Uint8Array;
  readonly headers: MsgHdrs | undefined;
}

/** Thrown by `beforeOpening` when the stream is not the one that was read from. */
export class ReadingEnded extends Error {}

export interface ReadingOptions {
  readonly connection: BusConnection;
  readonly stream: string;
  /** The last position that need not be read. */
  readonly after: number;
  /** Most messages that wait here; the others wait in the stream. */
  readonly queueMax: number;
  readonly logger: Logger;
  /**
   * Called before the consumer is made again, with the position reached and the last message that arrived; resolves
   * with the position to go on after. Rejects with `ReadingEnded` to end the reading, with anything else to be
   * called again.
   */
  beforeReopening(position: number, last: StreamMessage | null): Promise<number>;
  /** Whether messages can arrive. Called when that changes. */
  onFlowing?(flowing: boolean): void;
}

/**
 * Reads a stream in order, each message once, by an ephemeral consumer without acknowledgements. The consumer's own
 * numbers must follow each other; whatever is irregular (a number left out, silence, a reconnect, a consumer that is
 * gone) makes a new one after the last position that arrived. The client library's ordered consumer does not come
 * back from a restart of the server, and its callbacks have no back-pressure.
 */
export class StreamReading {
  private readonly queue: StreamMessage[] = [];
  private queueBytes = 0;
  private opening: Opening | null = null;
  private position: number;
  private last: StreamMessage | null = null;
  private pending = 0;
  private reopening: Promise<void> | null = null;
  private readonly closing = new AbortController();
  private hasEnded = false;
  private wake: () => void = () => undefined;
  private readonly watch: NodeJS.Timeout;
  private readonly endReconnects: () => void;

  private constructor(private readonly options: ReadingOptions) {
    this.position = options.after;
    this.watch = setInterval(() => this.watchConsumer(), WATCH_MS);
    this.endReconnects = options.connection.onReconnect(() => this.reopen('the connection was lost'));
  }

  /** Rejects when the consumer cannot be made. */
  static async open(options: ReadingOptions): Promise<StreamReading> {
    const reading = new StreamReading(options);
    try {
      await reading.makeConsumer();
    } catch (error) {
      await reading.close();
      throw error;
    }
    return reading;
  }

  /** Messages after those that were returned, as far as known. */
  get backlog(): number {
    return this.queue.length + this.pending;
  }

  /** At least one message, in order, at most `max`; `[]` only when closed or ended. */
  async next(max: number): Promise<StreamMessage[]> {
    while (!this.closing.signal.aborted) {
      if (this.queue.length > 0) {
        const messages = this.queue.splice(0, max);
        for (const { data } of messages) this.queueBytes -= data.length;
        this.pull();
        return messages;
      }
      if (this.hasEnded) break;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    return [];
  }

  async close(): Promise<void> {
    if (this.closing.signal.aborted) return;
    this.closing.abort();
    clearInterval(this.watch);
    this.endReconnects();
    const consumer = this.opening?.consumer;
    this.interrupt();
    this.wake();
    await this.reopening;
    if (consumer !== undefined) this.forget(consumer);
  }

  private async makeConsumer(): Promise<void> {
    const { connection, stream } = this.options;
    const { name } = await connection.manager.consumers.add(stream, {
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: this.position + 1,
      inactive_threshold: nanos(FORGOTTEN_AFTER_MS),
      mem_storage: true,
      num_replicas: 1,
    });
    if (this.closing.signal.aborted) return this.forget(name);
    const opening = new Opening(name, connection, (message) => this.receive(opening, message));
    this.opening = opening;
    this.options.onFlowing?.(true);
    this.pull();
  }

  private forget(consumer: string): void {
    const { connection, stream } = this.options;
    // Else the server forgets it by itself.
    if (connection.isConnected) connection.nats.publish(`$JS.API.CONSUMER.DELETE.${stream}.${consumer}`);
  }

  private interrupt(): void {
    if (this.opening === null) return;
    this.opening.end();
    this.opening = null;
    this.options.onFlowing?.(false);
  }

  private receive(opening: Opening, message: Msg): void {
    if (opening !== this.opening) return;
    opening.heardAt = performance.now();
    const delivery = deliveryOf(message.reply);
    if (delivery === null) return this.takeStatus(opening, message);
    if (delivery.number !== opening.delivered + 1) return this.reopen('a message was left out');
    opening.delivered = delivery.number;
    opening.credit -= 1;
    this.position = delivery.position;
    this.pending = delivery.pending;
    this.last = { position: delivery.position, data: message.data, headers: message.headers };
    this.queue.push(this.last);
    this.queueBytes += message.data.length;
    this.pull();
    this.wake();
  }

  private takeStatus(opening: Opening, { headers }: Msg): void {
    const { code = 0, description = `status ${code}` } = headers ?? {};
    // What was brought is counted, and the next request may be on its way.
    if (code === 100 || description === ALL_BROUGHT) return;
    if (code !== 404 && code !== 408 && description !== BYTES_USED_UP) return this.reopen(description);
    // The request is over; what it did not bring may be asked for again.
    opening.credit = 0;
    this.pull();
  }

  /** Asks for as many as there is room for, in large portions, and one after the other: each has all of the room. */
  private pull(): void {
    const { opening } = this;
    const { connection, stream, queueMax } = this.options;
    if (opening === null || opening.credit > 0 || !connection.isConnected) return;
    const bytesMax = Math.max(WAITING_BYTES_MAX, 2 * (connection.maxPayload + HEADERS_BYTES));
    const room = queueMax - this.queue.length;
    const bytes = bytesMax - this.queueBytes;
    if (room < queueMax / 2 || bytes < bytesMax / 2) return;
    opening.heardAt = performance.now();
    opening.credit = room;
    const request = {
      batch: room,
      max_bytes: bytes,
      expires: nanos(REQUEST_EXPIRES_MS),
      idle_heartbeat: nanos(HEARTBEAT_MS),
    };
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${opening.consumer}`;
    connection.nats.publish(subject, JSON.stringify(request), { reply: opening.inbox });
  }

  private watchConsumer(): void {
    const { opening } = this;
    if (!this.options.connection.isConnected || this.hasEnded) return;
    if (opening === null) this.reopen('there is no consumer');
    else if (opening.credit === 0) void this.readBacklog(opening);
    else if (performance.now() - opening.heardAt > SILENCE_MS)
      this.reopen('nothing was heard of the consumer');
  }

  /** While there is no room messages do not tell how many are behind them. */
  private async readBacklog(opening: Opening): Promise<void> {
    const { connection, stream } = this.options;
    try {
      const { state } = await connection.manager.streams.info(stream);
      if (opening === this.opening) this.pending = Math.max(0, state.last_seq - this.position);
    } catch {
      // It stays as it was.
    }
  }

  private reopen(reason: string): void {
    this.interrupt();
    if (this.closing.signal.aborted) return;
    this.options.logger.debug(
      { stream: this.options.stream, reason },
      'the stream is read by a new consumer',
    );
    this.reopening ??= this.reopenUntilItWorks().finally(() => (this.reopening = null));
  }

  private async reopenUntilItWorks(): Promise<void> {
    const { connection, stream, logger } = this.options;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        if (connection.isClosed) return this.end();
        if (connection.isConnected) {
          this.position = await this.options.beforeReopening(this.position, this.last);
          if (this.closing.signal.aborted) return;
          return await this.makeConsumer();
        }
      } catch (err) {
        if (this.closing.signal.aborted) return;
        if (err instanceof ReadingEnded) return this.end();
        if (connection.isConnected) logger.warn({ err, stream }, 'the stream cannot be read yet');
      }
      try {
        await sleep(pauseMs, undefined, { signal: this.closing.signal });
      } catch {
        return;
      }
    }
  }

  private end(): void {
    this.hasEnded = true;
    this.wake();
  }
}

/** One consumer, and what came of it. */
class Opening {
  readonly inbox = createInbox();
  /** Messages that were asked for and have not come. A request that ends unnoticed is found by the silence. */
  credit = 0;
  /** The consumer's own number of the last that came. */
  delivered = 0;
  heardAt = performance.now();
  private readonly subscription: Subscription;

  constructor(
    readonly consumer: string,
    connection: BusConnection,
    receive: (message: Msg) => void,
  ) {
    this.subscription = connection.nats.subscribe(this.inbox, {
      callback: (error, message) => {
        if (error === null) receive(message);
      },
    });
  }

  end(): void {
    this.subscription.unsubscribe();
  }
}

interface Delivery {
  readonly position: number;
  readonly number: number;
  readonly pending: number;
}

/**
 * `$JS.ACK.<stream>.<consumer>.<delivered>.<position>.<number>.<time>.<pending>`; newer servers put domain and
 * account before the stream, and may add to the end. Null for what is no message of a stream.
 */
function deliveryOf(reply: string | undefined): Delivery | null {
  if (!reply?.startsWith('$JS.ACK.')) return null;
  const tokens = reply.split('.');
  const shift = tokens.length > 9 ? 2 : 0;
  return {
    position: Number(tokens[5 + shift]),
    number: Number(tokens[6 + shift]),
    pending: Number(tokens[8 + shift]),
  };
}
