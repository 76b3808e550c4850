import type { ReceivedSubmit, SubmitLog, SubmitReader, LogPosition } from '../submits/submit-log.js';
import type { SubmitPublisher } from '../submits/submit-publisher.js';
import type { Submit, SubmitOutcome } from '../submits/submit.js';

/**
 * The submit path within one process. Its logs live in memory: what dies with the process was never
 * acknowledged. A log has no past, so it goes on from wherever its reader says the store stands.
 */
export class InProcessSubmits implements SubmitPublisher, SubmitLog {
  private readonly logs = new Map<number, PartitionLog>();

  constructor(private readonly options: { readonly maxWaiting: number; readonly deadlineMs: number }) {}

  get unanswered(): number {
    let sum = 0;
    for (const log of this.logs.values()) sum += log.unanswered;
    return sum;
  }

  submit(submit: Submit): Promise<SubmitOutcome> {
    return this.logOf(submit.partition).append(submit, this.options.deadlineMs);
  }

  open(partition: number, from: LogPosition): Promise<SubmitReader> {
    return Promise.resolve(this.logOf(partition).open(from));
  }

  /** The process ends: what is still unanswered will not be answered here. */
  close(): void {
    for (const log of this.logs.values()) log.giveUp();
  }

  private logOf(partition: number): PartitionLog {
    let log = this.logs.get(partition);
    if (!log) this.logs.set(partition, (log = new PartitionLog(this.options.maxWaiting)));
    return log;
  }
}

class PartitionLog {
  /** In log order, the first at position `purged + 1`. Positions have no holes here. */
  private entries: ReceivedSubmit[] = [];
  private purged = 0;
  private readonly waitingForOutcome = new Map<number, (outcome: SubmitOutcome) => void>();
  private reader: PartitionReader | null = null;

  constructor(private readonly maxWaiting: number) {}

  get unanswered(): number {
    return this.waitingForOutcome.size;
  }

  append(submit: Submit, deadlineMs: number): Promise<SubmitOutcome> {
    if (!this.reader || this.entries.length >= this.maxWaiting) {
      return Promise.resolve({ kind: 'refused', error: 'NOT_ACCEPTED' });
    }
    const position = this.lastPosition + 1;
    this.entries.push({ position, submit });
    const outcome = new Promise<SubmitOutcome>((resolve) => {
      const deadline = setTimeout(() => this.settle(position, { kind: 'unknown' }), deadlineMs);
      this.waitingForOutcome.set(position, (result) => {
        clearTimeout(deadline);
        resolve(result);
      });
    });
    this.reader.wake();
    return outcome;
  }

  open(from: LogPosition): SubmitReader {
    if (this.reader) throw new Error('the partition has an open reader');
    if (this.entries.length === 0) this.purged = Math.max(this.purged, from.position);
    else this.purge(from.position);
    this.reader = new PartitionReader(this, from.position);
    return this.reader;
  }

  closed(): void {
    this.reader = null;
  }

  after(position: number, max: number): ReceivedSubmit[] {
    const start = Math.max(0, position - this.purged);
    return this.entries.slice(start, start + max);
  }

  countAfter(position: number): number {
    return Math.max(0, this.lastPosition - Math.max(position, this.purged));
  }

  purge(position: number): void {
    const done = Math.min(position - this.purged, this.entries.length);
    if (done <= 0) return;
    this.entries.splice(0, done);
    this.purged += done;
  }

  giveUp(): void {
    for (const position of [...this.waitingForOutcome.keys()]) this.settle(position, { kind: 'unknown' });
  }

  private get lastPosition(): number {
    return this.purged + this.entries.length;
  }

  settle(position: number, outcome: SubmitOutcome): void {
    this.waitingForOutcome.get(position)?.(outcome);
    this.waitingForOutcome.delete(position);
  }
}

class PartitionReader implements SubmitReader {
  /** What is lost with the process was never acknowledged, and a log begins wherever the store stands. */
  readonly lost = null;
  private waiting: (() => void) | null = null;
  private isClosed = false;

  constructor(
    private readonly log: PartitionLog,
    private position: number,
  ) {}

  get backlog(): number {
    return this.log.countAfter(this.position);
  }

  async next(max: number): Promise<ReceivedSubmit[]> {
    while (!this.isClosed) {
      const batch = this.log.after(this.position, max);
      const last = batch.at(-1);
      if (last) {
        this.position = last.position;
        return batch;
      }
      await new Promise<void>((resolve) => (this.waiting = resolve));
    }
    return [];
  }

  answer(received: ReceivedSubmit, outcome: SubmitOutcome): void {
    this.log.settle(received.position, outcome);
  }

  purge(position: number): Promise<void> {
    this.log.purge(position);
    return Promise.resolve();
  }

  close(): Promise<void> {
    if (!this.isClosed) {
      this.isClosed = true;
      this.log.closed();
      this.wake();
    }
    return Promise.resolve();
  }

  wake(): void {
    this.waiting?.();
    this.waiting = null;
  }
}
