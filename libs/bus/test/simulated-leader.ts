import type {
  LogPosition,
  LossRecord,
  ReceivedSubmit,
  SubmitLog,
  SubmitReader,
} from '../src/submits/submit-log.js';
import type { Submit } from '../src/submits/submit.js';

/** What a store keeps of one partition: survives its leaders. */
export class SimulatedStore {
  position: LogPosition = { position: 0, messageId: null };
  /** By message id, in the order of storing. */
  readonly seqs = new Map<string, number>();
  readonly stored: Submit[] = [];
  readonly losses: LossRecord[] = [];
  /** Resolves when the store works: a test can make it hang. */
  working: Promise<void> = Promise.resolve();
  private epoch = 0;

  takeEpoch(): number {
    return ++this.epoch;
  }

  /** All of the batch or, for a leader that was replaced, nothing. */
  commit(epoch: number, from: number, batch: readonly ReceivedSubmit[]): boolean {
    if (epoch !== this.epoch || from !== this.position.position) return false;
    for (const { submit } of batch) {
      if (this.seqs.has(submit.messageId)) continue;
      this.stored.push(submit);
      this.seqs.set(submit.messageId, this.stored.length);
    }
    const last = batch.at(-1)!;
    this.position = { position: last.position, messageId: last.submit.messageId };
    return true;
  }
}

/** A leader as message-store's, with a store that is simulated: reads, commits, answers, purges, opens again. */
export class SimulatedLeader {
  reader: SubmitReader | null = null;
  /** Called between commit and answer: throwing there is what dying there is. */
  afterCommit: () => void = () => undefined;
  private isStopped = false;
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly log: SubmitLog,
    private readonly store: SimulatedStore,
    private readonly partition: number,
  ) {}

  /** Resolves when the partition is open for the first time. */
  start(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.running = this.lead(resolve);
    return promise;
  }

  async close(): Promise<void> {
    this.isStopped = true;
    await this.reader?.close();
    await this.running;
  }

  private async lead(opened: () => void): Promise<void> {
    while (!this.isStopped) {
      try {
        const epoch = this.store.takeEpoch();
        this.reader = await this.log.open(this.partition, this.store.position);
        if (this.reader.lost) this.store.losses.push(this.reader.lost);
        opened();
        await this.readAll(this.reader, epoch);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      } finally {
        await this.reader?.close();
      }
    }
  }

  private async readAll(reader: SubmitReader, epoch: number): Promise<void> {
    for (;;) {
      const { position } = this.store.position;
      const batch = await reader.next(100);
      if (batch.length === 0) return;
      await this.store.working;
      const known = new Set(batch.filter(({ submit }) => this.store.seqs.has(submit.messageId)));
      if (!this.store.commit(epoch, position, batch)) return;
      this.afterCommit();
      for (const received of batch) {
        const { messageId } = received.submit;
        const seq = this.store.seqs.get(messageId)!;
        const duplicate = known.has(received);
        reader.answer(received, { kind: 'stored', messageId, seq, serverTime: 1, duplicate });
      }
      void reader.purge(batch.at(-1)!.position).catch(() => undefined);
    }
  }
}
