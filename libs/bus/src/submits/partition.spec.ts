import { groupConversation, privateConversation } from '@starling/protocol';
import { partitionOf } from './partition.js';

describe('partitionOf', () => {
  it('is fixed for ever: a changed hash would move conversations away from their history', () => {
    expect(partitionOf(groupConversation('sea'), 8)).toBe(partitionOf(groupConversation('sea'), 8));
    expect(
      [groupConversation('sea'), groupConversation('群'), privateConversation('ann', 'bob')].map((key) =>
        partitionOf(key, 1024),
      ),
    ).toMatchInlineSnapshot(`
      [
        959,
        971,
        649,
      ]
    `);
  });

  it('spreads conversations evenly', () => {
    const counts = new Array<number>(8).fill(0);
    for (let i = 0; i < 8000; i++) counts[partitionOf(groupConversation(`group-${i}`), 8)]! += 1;
    for (const count of counts) expect(count).toBeGreaterThan(800);
  });
});
