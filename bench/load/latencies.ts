/** A summary of many durations, in milliseconds. */
export interface Spread {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Buckets grow by this factor: quantiles are right to 1 %, whatever their size. */
const GROWTH = 1.01;
const SMALLEST_MS = 0.01;
const BUCKETS = 1 + Math.ceil(Math.log(1e8) / Math.log(GROWTH));

/** Durations, kept in a fixed number of counters: recording one costs the same however many there are. */
export class Latencies {
  private readonly counts = new Uint32Array(BUCKETS);
  private total = 0;
  private longest = 0;

  record(ms: number): void {
    const bucket = ms <= SMALLEST_MS ? 0 : Math.ceil(Math.log(ms / SMALLEST_MS) / Math.log(GROWTH));
    this.counts[Math.min(bucket, BUCKETS - 1)]! += 1;
    this.total += 1;
    if (ms > this.longest) this.longest = ms;
  }

  get spread(): Spread {
    return { count: this.total, p50: this.quantile(0.5), p99: this.quantile(0.99), max: this.longest };
  }

  private quantile(part: number): number {
    let left = Math.ceil(part * this.total);
    if (left === 0) return 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.counts[bucket]!;
      if (left <= 0) return Math.min(SMALLEST_MS * GROWTH ** bucket, this.longest);
    }
    return this.longest;
  }
}
