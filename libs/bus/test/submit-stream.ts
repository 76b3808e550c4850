import { randomUUID } from 'node:crypto';
import type { SubmitPublisher } from '../src/submits/submit-publisher.js';
import type { Submit, SubmitOutcome } from '../src/submits/submit.js';
import { aSubmit } from '../src/submits/submit-path.contract.js';
import type { SimulatedStore } from './simulated-leader.js';

/** Submits of one caller to one partition, not awaited in between, and what became of each. */
export class SubmitStream {
  readonly submits: Submit[] = [];
  readonly outcomes: (SubmitOutcome | null)[] = [];
  private readonly promises: Promise<void>[] = [];
  private readonly gateway = randomUUID();

  constructor(
    private readonly publisher: SubmitPublisher,
    private readonly partition: number,
  ) {}

  send(count: number): void {
    for (let i = 0; i < count; i++) {
      const index = this.submits.length;
      const submit = aSubmit({
        messageId: `${this.gateway}.${index}`,
        partition: this.partition,
        clientId: index,
      });
      this.submits.push(submit);
      this.outcomes.push(null);
      this.promises.push(
        this.publisher.submit(submit).then((outcome) => void (this.outcomes[index] = outcome)),
      );
    }
  }

  /** One every few milliseconds, until `stop` is called. */
  sendSteadily(): { stop: () => void } {
    const timer = setInterval(() => this.send(2), 5);
    return { stop: () => clearInterval(timer) };
  }

  async settled(): Promise<void> {
    await Promise.all(this.promises);
  }

  count(kind: SubmitOutcome['kind']): number {
    return this.outcomes.filter((outcome) => outcome?.kind === kind).length;
  }

  /**
   * Nothing acknowledged is missing, nothing refused is there, nothing is there twice, and the order is that of the
   * calls, which only a lost log may change.
   */
  expectPromisesKept(store: SimulatedStore, { inOrder = true } = {}): void {
    const own = store.stored.filter(({ messageId }) => messageId.startsWith(this.gateway));
    const ids = own.map(({ clientId }) => clientId as number);
    if (inOrder) expect(ids).toEqual([...ids].sort((a, b) => a - b));
    expect(new Set(ids).size).toBe(ids.length);
    const wrong = this.outcomes.filter((outcome, index) => {
      const seq = store.seqs.get(this.submits[index]!.messageId);
      if (outcome?.kind === 'stored') return outcome.seq !== seq;
      return outcome?.kind === 'refused' && seq !== undefined;
    });
    expect(wrong).toEqual([]);
    expect(this.outcomes).not.toContain(null);
  }
}
