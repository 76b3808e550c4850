import { until } from '@starling/testing';
import type { Lease, PartitionLeases } from './partition-leases.js';

export interface LeasesUnderTest {
  /**
   * The leases of another process. Where there can be only one, this is called once. By default they end within less
   * than tests wait.
   */
  newWorker(leaseMs?: number): Promise<PartitionLeases>;
  close(): Promise<void>;
}

const PARTITIONS = 8;
const ALL = Array.from({ length: PARTITIONS }, (_, partition) => partition);
/** Whoever waited for its end would wait longer than any test. */
const LONG_LEASE_MS = 60_000;
const AT_ONCE_MS = 10_000;

/** Who leads which partition, as all workers of a test know it. */
export class Leaders extends Map<number, LedPartitions> {
  /** Partitions that a second worker was given while the first one held them. */
  readonly doubled: number[] = [];
}

/** What a worker does with its partitions. */
export class LedPartitions {
  readonly leases = new Map<number, Lease>();
  /** How often work was begun. */
  begun = 0;
  /** Held up until this resolves, as a batch under way would hold it up. */
  finishing: Promise<void> = Promise.resolve();

  constructor(
    readonly worker: PartitionLeases,
    private readonly led: Leaders,
  ) {}

  async start(): Promise<void> {
    await this.worker.start((lease) => this.lead(lease));
  }

  get partitions(): number[] {
    return [...this.leases.keys()].sort((a, b) => a - b);
  }

  private async lead(lease: Lease): Promise<void> {
    const { partition } = lease;
    if (this.led.get(partition)?.leases.get(partition)?.isHeld) this.led.doubled.push(partition);
    if (this.led.has(partition)) throw new Error(`two lead partition ${partition}`);
    this.begun += 1;
    this.led.set(partition, this);
    this.leases.set(partition, lease);
    await new Promise((resolve) => lease.ending.addEventListener('abort', resolve));
    await this.finishing;
    this.leases.delete(partition);
    this.led.delete(partition);
  }
}

/** What every implementation of PartitionLeases promises. `start` gives leases of eight partitions. */
export function partitionLeasesContract(
  start: (partitions: number) => Promise<LeasesUnderTest>,
  { workers }: { workers: 'one' | 'many' },
): void {
  let under: LeasesUnderTest;
  let led: Leaders;

  beforeEach(async () => {
    led = new Leaders();
    under = await start(PARTITIONS);
  });
  afterEach(async () => {
    await under.close();
    expect(led.doubled).toEqual([]);
  });

  const newWorker = async (leaseMs?: number) => new LedPartitions(await under.newWorker(leaseMs), led);

  it('gives the only worker every partition, held and not ending, by when it has started', async () => {
    const worker = await newWorker(LONG_LEASE_MS);
    await worker.start();
    expect(worker.partitions).toEqual(ALL);
    for (const lease of worker.leases.values()) {
      expect(lease.isHeld).toBe(true);
      expect(lease.ending.aborted).toBe(false);
    }
    await worker.worker.stop();
  });

  it('ends all work on stop, and waits for it', async () => {
    const worker = await newWorker();
    await worker.start();
    const { promise, resolve } = Promise.withResolvers<void>();
    worker.finishing = promise;
    let hasStopped = false;
    const leases = [...worker.leases.values()];
    const stopped = worker.worker.stop().then(() => (hasStopped = true));
    await until('the work to be ended', () => leases.every(({ ending }) => ending.aborted));
    expect(hasStopped).toBe(false);
    expect(worker.partitions).toEqual(ALL);
    resolve();
    await stopped;
    expect(worker.partitions).toEqual([]);
    expect(leases.map(({ isHeld }) => isHeld)).toEqual(ALL.map(() => false));
  });

  it('calls again for a partition whose work failed', async () => {
    const worker = await under.newWorker(LONG_LEASE_MS);
    const calls = new Map<number, number>();
    await worker.start(async ({ partition, ending }) => {
      calls.set(partition, (calls.get(partition) ?? 0) + 1);
      if (partition === 3 && calls.get(3)! < 3) throw new Error('the work fails');
      await new Promise((resolve) => ending.addEventListener('abort', resolve));
    });
    await until('the work to be begun again', () => calls.get(3) === 3);
    expect(calls.get(2)).toBe(1);
    await worker.stop();
  });

  if (workers === 'one') return;

  it('spreads the partitions evenly over workers that come and go, and leads each once', async () => {
    const all: LedPartitions[] = [];
    const settled = (shares: number[]) =>
      until(`shares of ${shares.join(', ')}`, () => {
        const found = all.map(({ partitions }) => partitions.length).sort((a, b) => b - a);
        return led.size === PARTITIONS && found.join() === shares.join();
      });
    for (const shares of [[8], [4, 4], [3, 3, 2], [2, 2, 2, 2], [2, 2, 2, 1, 1]]) {
      const worker = await newWorker();
      all.push(worker);
      await worker.start();
      await settled(shares);
    }
    for (const shares of [[2, 2, 2, 2], [3, 3, 2], [4, 4], [8]]) {
      await all.shift()!.worker.stop();
      await settled(shares);
    }
    await all[0]!.worker.stop();
    expect(led.size).toBe(0);
  });

  it('moves no partition that need not be moved', async () => {
    const [first, second] = [await newWorker(LONG_LEASE_MS), await newWorker(LONG_LEASE_MS)];
    await first.start();
    await second.start();
    await until('an even share', () => first.leases.size === 4 && second.leases.size === 4);
    const third = await newWorker(LONG_LEASE_MS);
    await third.start();
    await until('an even share', () => third.leases.size === 2 && led.size === PARTITIONS);
    // Each partition was begun once, and once more where it moved: 4 to the second, 2 to the third.
    expect(first.begun + second.begun + third.begun).toBe(PARTITIONS + 4 + 2);
    await Promise.all([first, second, third].map(({ worker }) => worker.stop()));
  });

  it('hands a partition over only when its work has ended', async () => {
    const first = await newWorker(LONG_LEASE_MS);
    const { promise, resolve } = Promise.withResolvers<void>();
    first.finishing = promise;
    await first.start();
    const second = await newWorker(LONG_LEASE_MS);
    await second.start();
    await until('some to be given up', () => {
      return [...first.leases.values()].filter(({ ending }) => ending.aborted).length === 4;
    });
    expect(first.leases.size).toBe(PARTITIONS);
    expect(second.leases.size).toBe(0);
    resolve();
    await until('an even share', () => first.leases.size === 4 && second.leases.size === 4);
    await Promise.all([first, second].map(({ worker }) => worker.stop()));
  });

  it('hands the partitions of a worker that stops over at once, not when its leases would be over', async () => {
    const [first, second] = [await newWorker(LONG_LEASE_MS), await newWorker(LONG_LEASE_MS)];
    await first.start();
    await second.start();
    await until('an even share', () => first.leases.size === 4 && second.leases.size === 4);
    await first.worker.stop();
    await until('the other to lead all', () => second.leases.size === PARTITIONS, AT_ONCE_MS);
    await second.worker.stop();
  });
}
