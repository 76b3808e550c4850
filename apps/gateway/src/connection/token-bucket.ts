/** Lets `rate` per second through in the long run and `burst` at once. */
export class TokenBucket {
  private tokens: number;
  private filledAt: number;

  /** `now` is in milliseconds and never goes back. */
  constructor(
    private readonly rate: number,
    private readonly burst: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.tokens = burst;
    this.filledAt = now();
  }

  /** False: nothing was left, and nothing was taken. */
  take(): boolean {
    this.refill();
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }

  private refill(): void {
    const now = this.now();
    this.tokens = Math.min(this.burst, this.tokens + ((now - this.filledAt) * this.rate) / 1000);
    this.filledAt = now;
  }
}
