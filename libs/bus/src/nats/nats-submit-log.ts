import { setTimeout as sleep } from 'node:timers/promises';
import { DiscardPolicy, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { nanos, type Subscription } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { BusMetrics } from '../bus-metrics.js';
import type {
  LogPosition,
  LossRecord,
  ReceivedSubmit,
  SubmitLog,
  SubmitReader,
} from '../submits/submit-log.js';
import type { Submit, SubmitOutcome } from '../submits/submit.js';
import { ensureStream, streamInfo, type WantedStream } from './ensure-stream.js';
import { MSG_ID_HEADER, REPLY_HEADER, submitStream, submitSubject, workerSubject } from './names.js';
import type { BusConnection } from './nats-connection.js';
import { ReadingEnded, StreamReading, type StreamMessage } from './stream-reading.js';
import { isTryOf } from './submit-tries.js';

/** Submits that wait in this process; the others wait in the stream. */
const QUEUE_MAX = 1000;
/** A purge costs the server as much as several submits, so there is at most one in this time for a partition. */
const PURGE_PAUSE_MS = 100;

/**
 * The server removes the files of a deleted stream after it has said that it is deleted. One that is made under the
 * same name before that comes up with the old messages, or loses its own.
 */
const DELETED_MS = 250;

const decoder = new TextDecoder();

export interface SubmitLogOptions {
  /** Submits that may wait in a partition. One more is kept: the last that was dealt with. */
  readonly maxWaiting: number;
  readonly replicas: number;
  /** How long a gateway may resend a submit. */
  readonly deadlineMs: number;
}

/**
 * The submit log over JetStream: a file stream for each partition that refuses what is too much. Positions are the
 * stream's sequence numbers, and grow also when the stream was lost: a new one begins after the store's position.
 */
export class NatsSubmitLog implements SubmitLog {
  constructor(
    private readonly connection: BusConnection,
    private readonly options: SubmitLogOptions,
    private readonly logger: Logger,
    private readonly metrics: BusMetrics,
  ) {}

  async open(partition: number, from: LogPosition): Promise<SubmitReader> {
    const lost = await this.adopt(partition, from);
    if (lost !== null) this.logger.error(lost, 'the submit log is not the one that was read before');
    return NatsSubmitReader.open(this.connection, partition, from, lost, this.logger, this.metrics);
  }

  /** Makes the stream go on after `from`, whatever it is found to be. */
  private async adopt(partition: number, from: LogPosition): Promise<LossRecord | null> {
    const { manager } = this.connection;
    const loss = await lossIn(this.connection, partition, from);
    if (loss?.found === 'no log') await sleep(DELETED_MS);
    await ensureStream(manager, this.streamOf(partition, from));
    // Else what comes next would get positions a second time. What is in there and before was dealt with, or its
    // gateways try it again. A stream that was just made may have come back with what a deleted one held.
    if (loss !== null) await manager.streams.purge(submitStream(partition), { seq: from.position + 1 });
    return loss;
  }

  private streamOf(partition: number, from: LogPosition): WantedStream {
    const { maxWaiting, replicas, deadlineMs } = this.options;
    return {
      name: submitStream(partition),
      subjects: [submitSubject(partition)],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.New,
      max_msgs: maxWaiting + 1,
      num_replicas: replicas,
      first_seq: from.position + 1,
      duplicate_window: nanos(Math.max(2 * deadlineMs, 10_000)),
    };
  }
}

/** What of the store's position is not in the stream. */
async function lossIn(
  { manager }: BusConnection,
  partition: number,
  { position, messageId }: LogPosition,
): Promise<LossRecord | null> {
  if (position === 0) return null;
  const loss = (found: LossRecord['found']): LossRecord => ({ partition, position, messageId, found });
  const info = await streamInfo(manager, submitStream(partition));
  if (info === null) return loss('no log');
  if (info.state.last_seq < position) return loss('a shorter log');
  if (messageId === null) return null;
  const message = await manager.streams.getMessage(submitStream(partition), { seq: position });
  if (message === null) return loss('nothing at the position');
  return isTryOf(messageId, message.header?.get(MSG_ID_HEADER) ?? '') ? null : loss('another submit');
}

interface Received extends ReceivedSubmit {
  readonly replyTo: string;
}

class NatsSubmitReader implements SubmitReader {
  private reading!: StreamReading;
  private worker: Subscription | null = null;
  private committed: number;
  private readonly purges: Purges;

  private constructor(
    private readonly connection: BusConnection,
    private readonly partition: number,
    private readonly from: LogPosition,
    readonly lost: LossRecord | null,
    private readonly metrics: BusMetrics,
  ) {
    this.committed = from.position;
    this.purges = new Purges(async (position) => {
      await connection.manager.streams.purge(submitStream(partition), { seq: position });
    });
  }

  static async open(
    connection: BusConnection,
    partition: number,
    from: LogPosition,
    lost: LossRecord | null,
    logger: Logger,
    metrics: BusMetrics,
  ): Promise<NatsSubmitReader> {
    const reader = new NatsSubmitReader(connection, partition, from, lost, metrics);
    reader.reading = await StreamReading.open({
      connection,
      stream: submitStream(partition),
      after: from.position,
      queueMax: QUEUE_MAX,
      logger,
      beforeReopening: (position, last) => reader.beSameStream(position, last),
      onFlowing: (flowing) => reader.announce(flowing),
    });
    // Only then gateways find somebody who reads.
    await connection.nats.flush().catch(() => undefined);
    return reader;
  }

  get backlog(): number {
    return this.reading.backlog;
  }

  async next(max: number): Promise<ReceivedSubmit[]> {
    return (await this.reading.next(max)).map(receivedFrom);
  }

  answer(received: ReceivedSubmit, outcome: SubmitOutcome): void {
    const { replyTo } = received as Received;
    if (replyTo !== '' && this.connection.isConnected) {
      this.metrics.publishes.reply();
      this.connection.nats.publish(replyTo, JSON.stringify(outcome));
    }
  }

  purge(position: number): Promise<void> {
    this.committed = Math.max(this.committed, position);
    return this.purges.upTo(position);
  }

  async close(): Promise<void> {
    this.purges.stop();
    await this.reading.close();
  }

  /** By the last that arrived, else by where the store stood, unless that was found to be lost already. */
  private async beSameStream(position: number, last: StreamMessage | null): Promise<number> {
    const messageId = last ? messageIdIn(last) : this.lost ? null : this.from.messageId;
    const loss = await lossIn(this.connection, this.partition, { position, messageId });
    // Opening again, from where the store stands, tells it and makes good what can be.
    if (loss !== null) throw new ReadingEnded(loss.found);
    return position;
  }

  /** Gateways publish only while somebody is there to read, and learn by the answer which replies must have come. */
  private announce(flowing: boolean): void {
    this.worker?.unsubscribe();
    this.worker = null;
    if (!flowing) return;
    this.worker = this.connection.nats.subscribe(workerSubject(this.partition), {
      callback: (error, message) => {
        if (error === null) message.respond(String(this.committed));
      },
    });
  }
}

function receivedFrom({ position, data, headers }: StreamMessage): Received {
  return { position, submit: submitIn(data), replyTo: headers?.get(REPLY_HEADER) ?? '' };
}

/** What is no JSON becomes null, which its reader sets aside as it does other submits that are none. */
function submitIn(data: Uint8Array): Submit {
  try {
    return JSON.parse(decoder.decode(data)) as Submit;
  } catch {
    return null as unknown as Submit;
  }
}

function messageIdIn({ headers }: StreamMessage): string | null {
  const id = headers?.get(MSG_ID_HEADER) ?? '';
  return id === '' ? null : id;
}

/** One purge at a time, of the highest position that was asked for, with pauses in between. */
class Purges {
  private waiting: { position: number; done: PromiseWithResolvers<void> } | null = null;
  private pausing: NodeJS.Timeout | null = null;
  private isStopped = false;

  constructor(private readonly purge: (position: number) => Promise<void>) {}

  upTo(position: number): Promise<void> {
    if (this.isStopped) return Promise.resolve();
    this.waiting ??= { position, done: Promise.withResolvers() };
    this.waiting.position = Math.max(this.waiting.position, position);
    const { promise } = this.waiting.done;
    if (this.pausing === null) this.run();
    return promise;
  }

  stop(): void {
    this.isStopped = true;
    if (this.pausing !== null) clearTimeout(this.pausing);
    this.waiting?.done.resolve();
    this.waiting = null;
  }

  private run(): void {
    const { waiting } = this;
    this.waiting = null;
    this.pausing = null;
    if (waiting === null || this.isStopped) return;
    this.pausing = setTimeout(() => this.run(), PURGE_PAUSE_MS);
    this.purge(waiting.position).then(waiting.done.resolve, waiting.done.reject);
  }
}
