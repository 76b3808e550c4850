import { TokenBucket } from './token-bucket.js';

describe('TokenBucket', () => {
  let now = 0;
  beforeEach(() => (now = 5000));

  function takeAll(bucket: TokenBucket): number {
    let taken = 0;
    while (bucket.take()) taken++;
    return taken;
  }

  it('lets a burst through at once and then its rate', () => {
    const bucket = new TokenBucket(10, 25, () => now);
    expect(takeAll(bucket)).toBe(25);
    now += 99;
    expect(bucket.take()).toBe(false);
    now += 1;
    expect(takeAll(bucket)).toBe(1);
    now += 1000;
    expect(takeAll(bucket)).toBe(10);
  });

  it('never saves up more than a burst', () => {
    const bucket = new TokenBucket(10, 25, () => now);
    takeAll(bucket);
    now += 3_600_000;
    expect(takeAll(bucket)).toBe(25);
  });

  it('saves up nothing while it is full', () => {
    const bucket = new TokenBucket(10, 25, () => now);
    now += 3_600_000;
    expect(takeAll(bucket)).toBe(25);
  });

  it('loses no share of a token to frequent asking', () => {
    const bucket = new TokenBucket(10, 1, () => now);
    takeAll(bucket);
    let passed = 0;
    for (let i = 0; i < 1000; i++) {
      now += 7;
      if (bucket.take()) passed++;
    }
    // 7 s at 10 per second, asked each 7 ms: a token is taken at the first asking after it came.
    expect(passed).toBeGreaterThanOrEqual(66);
    expect(passed).toBeLessThanOrEqual(70);
  });
});
