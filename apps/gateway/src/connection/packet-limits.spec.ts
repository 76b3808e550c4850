import { loadConfig } from '@starling/config';
import { PacketLimits } from './packet-limits.js';

describe('PacketLimits', () => {
  const config = loadConfig({ PACKETS_PER_SECOND: '10', PACKETS_BURST: '20', MAX_BROKEN_FRAMES: '3' });
  let now = 0;

  function send(limits: PacketLimits, packets: number): string[] {
    return Array.from({ length: packets }, () => limits.packet());
  }

  it('refuses above the limit, and calls it a flood when the refusals are not listened to', () => {
    const limits = new PacketLimits(config, () => now);
    const results = send(limits, 101);
    expect(results.slice(0, 20)).toEqual(Array(20).fill('pass'));
    expect(results.slice(20, 100)).toEqual(Array(80).fill('refuse'));
    expect(results[100]).toBe('flood');
  });

  it('goes on refusing, without a flood, a client that sends somewhat too much for ever', () => {
    const limits = new PacketLimits(config, () => now);
    const results: string[] = [];
    for (let second = 0; second < 60; second++) {
      results.push(...send(limits, 18));
      now += 1000;
    }
    expect(results).not.toContain('flood');
    expect(results.filter((result) => result === 'pass').length).toBeGreaterThanOrEqual(600);
  });

  it('allows three broken frames and ends with the third', () => {
    const limits = new PacketLimits(config);
    expect([limits.broken(), limits.broken(), limits.broken()]).toEqual([true, true, false]);
  });

  it('bounds what is no packet, more generously', () => {
    const limits = new PacketLimits(config, () => now);
    let taken = 0;
    while (limits.message()) taken++;
    expect(taken).toBe(80);
    expect(limits.packet()).toBe('pass');
  });
});
