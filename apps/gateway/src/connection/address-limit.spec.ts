import { AddressLimit } from './address-limit.js';

describe('AddressLimit', () => {
  it('is full at the limit, for each network by itself, until something is released', () => {
    const limit = new AddressLimit(2);
    limit.take('a');
    expect(limit.isFull('a')).toBe(false);
    limit.take('a');
    expect(limit.isFull('a')).toBe(true);
    expect(limit.isFull('b')).toBe(false);
    limit.release('a');
    expect(limit.isFull('a')).toBe(false);
  });

  it('keeps nothing of networks that hold nothing', () => {
    const limit = new AddressLimit(2);
    for (let i = 0; i < 1000; i++) {
      limit.take(`10.0.0.${i}`);
      limit.release(`10.0.0.${i}`);
    }
    expect((limit as unknown as { held: Map<string, number> }).held.size).toBe(0);
  });
});
