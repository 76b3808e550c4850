import { Latencies } from './latencies.js';

describe('Latencies', () => {
  it('tells quantiles to a hundredth of their size', () => {
    const latencies = new Latencies();
    for (let ms = 1; ms <= 1000; ms++) latencies.record(ms);
    const { count, p50, p99, max } = latencies.spread;
    expect({ count, max }).toEqual({ count: 1000, max: 1000 });
    expect(Math.abs(p50 / 500 - 1)).toBeLessThan(0.011);
    expect(Math.abs(p99 / 990 - 1)).toBeLessThan(0.011);
  });

  it('is all zero when nothing was recorded', () => {
    expect(new Latencies().spread).toEqual({ count: 0, p50: 0, p99: 0, max: 0 });
  });
});
