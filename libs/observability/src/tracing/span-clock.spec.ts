import { SpanClock } from './span-clock.js';

describe('the clock of spans', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('is the wall clock, and never goes back', () => {
    const clock = new SpanClock();
    let before = clock.at();
    expect(Math.abs(before - Date.now())).toBeLessThan(1_000);
    for (let round = 0; round < 10_000; round++) {
      const now = clock.at();
      expect(now).toBeGreaterThanOrEqual(before);
      before = now;
    }
  });

  it('tells when a moment by performance.now() was', () => {
    const clock = new SpanClock();
    const moment = performance.now();
    const then = clock.at(moment);
    expect(clock.at(moment - 1_500)).toBeCloseTo(then - 1_500, 2);
    expect(clock.at()).toBeGreaterThanOrEqual(then);
  });

  it('follows the wall clock when it is set, either way', () => {
    const clock = new SpanClock();
    const wallClock = Date.now.bind(Date);
    for (const step of [3_600_000, -3_600_000]) {
      jest.spyOn(Date, 'now').mockImplementation(() => wallClock() + step);
      expect(Math.abs(clock.at() - Date.now())).toBeLessThan(1_000);
    }
  });
});
