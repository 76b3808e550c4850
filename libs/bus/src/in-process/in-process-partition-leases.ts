import type { Logger } from 'pino';
import type { Lease, PartitionLeases, PartitionWork } from '../leases/partition-leases.js';

/** The only process there is leads every partition from start to stop. */
export class InProcessPartitionLeases implements PartitionLeases {
  private readonly ending = new AbortController();
  private works: Promise<void>[] = [];

  constructor(
    private readonly partitions: number,
    private readonly logger: Logger,
  ) {}

  async start(work: PartitionWork): Promise<void> {
    this.works = Array.from({ length: this.partitions }, (_, partition) => this.lead(partition, work));
  }

  async stop(): Promise<void> {
    this.ending.abort();
    await Promise.all(this.works);
  }

  private async lead(partition: number, work: PartitionWork): Promise<void> {
    const { signal } = this.ending;
    const lease: Lease = {
      partition,
      ending: signal,
      get isHeld() {
        return !signal.aborted;
      },
    };
    while (!signal.aborted) {
      try {
        await work(lease);
      } catch (err) {
        this.logger.error({ err, partition }, 'the work on a partition failed');
      }
      if (!signal.aborted) await endOrPause(signal);
    }
  }
}

const PAUSE_MS = 500;

function endOrPause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, PAUSE_MS);
    signal.addEventListener('abort', done);
  });
}
