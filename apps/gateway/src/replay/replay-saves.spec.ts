import { privateConversation } from '@starling/protocol';
import { replaySaves } from './replay-saves.js';
import type { UnsavedDeliveries } from './user-deliveries.js';

/** What NATS takes at once by default. */
const MAX_PAYLOAD = 1 << 20;
const HIGHEST = Number.MAX_SAFE_INTEGER;

const longId = (name: string): string => name.padEnd(128, '長');
const bytesOf = (save: UnsavedDeliveries[]): number => Buffer.byteLength(JSON.stringify(save));
const cursorsOf = (userId: string, conversations: number): UnsavedDeliveries['cursors'] =>
  Array.from({ length: conversations }, (_, i) => ({
    conversation: privateConversation(userId, longId(`${i}`)),
    seq: HIGHEST,
  }));

describe('the requests that save deliveries', () => {
  it.each([
    ['bases of many partitions', 1000, 128, 0],
    ['bases of as many as there can be', 200, 1024, 1],
    ['many cursors of long keys', 300, 8, 10],
    ['more cursors of one user than a request holds', 3, 1024, 2000],
  ])('pass through NATS and leave nothing out: %s', (_, users, partitions, conversations) => {
    const unsaved = Array.from({ length: users }, (_each, i) => {
      const userId = longId(`\u0000${i}`);
      const base = new Array<number>(partitions).fill(HIGHEST);
      return { userId, base, cursors: cursorsOf(userId, conversations) };
    });
    const kept = new Map<string, UnsavedDeliveries>();
    let saves = 0;
    for (const save of replaySaves(unsaved)) {
      expect(bytesOf(save)).toBeLessThan(MAX_PAYLOAD);
      saves++;
      // As the store does: a base begins anew, without one cursors join what is kept.
      for (const { userId, base, cursors } of save) {
        if (base !== null) kept.set(userId, { userId, base, cursors: [...cursors] });
        else kept.get(userId)!.cursors.push(...cursors);
      }
    }
    expect([...kept.values()]).toEqual(unsaved);
    expect(saves).toBeGreaterThan(1);
    expect(saves).toBeLessThan(20);
  });

  it('are one for what fits into it, and none for nothing', () => {
    const few = Array.from({ length: 100 }, (_, i) => ({
      userId: `u${i}`,
      base: i % 2 ? [1, 2, 3] : null,
      cursors: cursorsOf(`u${i}`, 2),
    }));
    expect([...replaySaves(few)]).toEqual([few]);
    expect([...replaySaves([])]).toEqual([]);
  });
});
