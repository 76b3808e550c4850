interface Lease<Value> {
  readonly value: Value;
  /** By the monotonic clock: setting the wall clock ends nothing. */
  readonly endsAt: number;
}

/** Values that end unless they are put again in time. */
export class LeaseMap<Value> {
  /** The one that ends first in front: all last equally long, so putting one again moves it to the end. */
  private readonly leases = new Map<string, Lease<Value>>();

  constructor(private readonly leaseMs: number) {}

  /** Those whose lease is over included, until `takeEnded`. */
  get size(): number {
    return this.leases.size;
  }

  get(key: string): Value | undefined {
    return this.leases.get(key)?.value;
  }

  put(key: string, value: Value): void {
    this.leases.delete(key);
    this.leases.set(key, { value, endsAt: performance.now() + this.leaseMs });
  }

  delete(key: string): void {
    this.leases.delete(key);
  }

  takeEnded(): Value[] {
    const now = performance.now();
    const ended: Value[] = [];
    for (const [key, { value, endsAt }] of this.leases) {
      if (endsAt > now) break;
      this.leases.delete(key);
      ended.push(value);
    }
    return ended;
  }
}
