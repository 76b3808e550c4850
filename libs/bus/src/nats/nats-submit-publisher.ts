import { createInbox, headers, type Msg, type Subscription } from '@nats-io/transport-node';
import type { BusMetrics } from '../bus-metrics.js';
import type { SubmitPublisher } from '../submits/submit-publisher.js';
import type { Submit, SubmitOutcome } from '../submits/submit.js';
import { MSG_ID_HEADER, REPLY_HEADER, submitSubject, workerSubject } from './names.js';
import type { BusConnection } from './nats-connection.js';
import { PartitionLane, type LaneWire } from './partition-lane.js';
import { nameOfTry } from './submit-tries.js';
import { UnansweredSubmit } from './unanswered-submit.js';

const TICK_MS = 50;
/** Characters of content and fields that may wait for outcomes in this process. */
const UNANSWERED_SIZE_MAX = 64 << 20;

/** Answers of the stream by which it certainly has not taken the message. */
const CERTAIN_REFUSALS = new Set([
  10047, // the disk or the account's storage is full
  10023, // so is the memory
  10167, // too many at once
]);

const STORING_FAILED = 10077;
/** Before nats-server 2.14 other failures have the same number, and another replica may have stored the message. */
const FULL = new Set(['maximum messages exceeded', 'maximum bytes exceeded']);

export interface SubmitPublisherOptions {
  /** Submits that may wait for their outcome at once, of all partitions together. */
  readonly maxUnanswered: number;
  readonly deadlineMs: number;
}

/**
 * Publishes submits to their partitions' streams and waits for outcomes. One inbox of this process takes what the
 * streams answer (`a<number>-<try>`), what the workers reply (`r<number>`), and how far workers are (`w<partition>`).
 */
export class NatsSubmitPublisher implements SubmitPublisher {
  private readonly inbox = createInbox();
  private readonly subscription: Subscription;
  private readonly table = new Map<number, UnansweredSubmit>();
  private readonly lanes = new Map<number, PartitionLane>();
  private readonly wire: LaneWire;
  private readonly endReconnects: () => void;
  private size = 0;
  private submits = 0;
  private timer: NodeJS.Timeout | null = null;
  private isClosed = false;

  constructor(
    private readonly connection: BusConnection,
    private readonly options: SubmitPublisherOptions,
    private readonly metrics: BusMetrics,
  ) {
    this.subscription = connection.nats.subscribe(`${this.inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.receive(message);
      },
    });
    this.wire = {
      get isConnected() {
        return connection.isConnected;
      },
      publish: (entry) => this.publish(entry),
      ask: (partition) => {
        metrics.publishes.ask();
        connection.nats.publish(workerSubject(partition), undefined, {
          reply: `${this.inbox}.w${partition}`,
        });
      },
      settled: (entry, outcome) => this.settled(entry, outcome),
    };
    this.endReconnects = connection.onReconnect(() => {
      for (const lane of this.lanes.values()) lane.reconnected();
    });
  }

  get unanswered(): number {
    return this.table.size;
  }

  submit(submit: Submit): Promise<SubmitOutcome> {
    if (this.isClosed || this.table.size >= this.options.maxUnanswered || this.size >= UNANSWERED_SIZE_MAX) {
      return Promise.resolve({ kind: 'refused', error: 'NOT_ACCEPTED' });
    }
    return new Promise((settle) => {
      this.submits += 1;
      const entry = new UnansweredSubmit(this.submits, submit, settle);
      this.table.set(entry.number, entry);
      this.size += entry.size;
      this.timer ??= setInterval(() => this.tick(), TICK_MS);
      this.laneOf(submit.partition).add(entry);
    });
  }

  /** What has no outcome gets the one that is certain. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.endReconnects();
    for (const lane of this.lanes.values()) lane.giveUpAll();
    if (!this.connection.isClosed) this.subscription.unsubscribe();
  }

  private laneOf(partition: number): PartitionLane {
    let lane = this.lanes.get(partition);
    if (!lane) this.lanes.set(partition, (lane = new PartitionLane(partition, this.wire)));
    return lane;
  }

  private publish({ number, submit, tries }: UnansweredSubmit): boolean {
    const { nats } = this.connection;
    this.metrics.publishes.submit();
    const head = headers();
    head.append(MSG_ID_HEADER, nameOfTry(submit.messageId, tries));
    head.append(REPLY_HEADER, `${this.inbox}.r${number}`);
    const reply = `${this.inbox}.a${number}-${tries}`;
    try {
      nats.publish(submitSubject(submit.partition), JSON.stringify(submit), { headers: head, reply });
      return true;
    } catch {
      // Larger than the server takes; or the connection was closed, and the deadline decides.
      return this.connection.isClosed;
    }
  }

  private receive(message: Msg): void {
    const token = message.subject.slice(this.inbox.length + 1);
    const [number, attempt] = token.slice(1).split('-').map(Number);
    if (token.startsWith('w')) return this.workerAnswered(this.laneOf(number!), message);
    const entry = this.table.get(number!);
    if (!entry) return;
    const lane = this.laneOf(entry.submit.partition);
    if (token.startsWith('r')) lane.replied(entry, message.json<SubmitOutcome>());
    else if (attempt === entry.tries) streamAnswered(lane, entry, message);
  }

  private workerAnswered(lane: PartitionLane, message: Msg): void {
    if (isNobody(message)) lane.nobodyAnswers();
    else lane.workerAnswered(Number(message.string()));
  }

  private tick(): void {
    for (const lane of this.lanes.values()) {
      if (!lane.isEmpty) lane.tick(this.options.deadlineMs);
    }
  }

  private settled(entry: UnansweredSubmit, outcome: SubmitOutcome): void {
    this.table.delete(entry.number);
    this.size -= entry.size;
    entry.settle(outcome);
    if (this.table.size > 0 || this.timer === null) return;
    clearInterval(this.timer);
    this.timer = null;
  }
}

interface StreamAnswer {
  readonly seq?: number;
  readonly error?: { readonly err_code?: number; readonly description?: string };
}

function streamAnswered(lane: PartitionLane, entry: UnansweredSubmit, message: Msg): void {
  // Without a stream nobody listens to its subject.
  if (isNobody(message)) return lane.refused(entry, true);
  const { seq, error } = message.json<StreamAnswer>();
  if (error) lane.refused(entry, isCertain(error));
  else lane.taken(entry, seq ?? 0);
}

function isCertain({ err_code: code = 0, description = '' }: NonNullable<StreamAnswer['error']>): boolean {
  return code === STORING_FAILED ? FULL.has(description) : CERTAIN_REFUSALS.has(code);
}

function isNobody({ data, headers: head }: Msg): boolean {
  return data.length === 0 && head?.code === 503;
}
