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
        686,
        332,
        443,
      ]
    `);
  });

  it.each([
    ['groups', (i: number) => groupConversation(`group-${i}`)],
    ['neighbours', (i: number) => privateConversation(`user-${2 * i}`, `user-${2 * i + 1}`)],
    ['conversations of one user', (i: number) => privateConversation('ann', `user-${i}`)],
    ['users with themselves', (i: number) => privateConversation(`user-${i}`, `user-${i}`)],
  ])('spreads %s evenly, however alike their names are', (_, conversationAt) => {
    for (const partitions of [2, 8, 12, 64]) {
      const mean = 500;
      const counts = new Array<number>(partitions).fill(0);
      for (let i = 0; i < mean * partitions; i++) counts[partitionOf(conversationAt(i), partitions)]! += 1;
      for (const count of counts) expect(Math.abs(count - mean)).toBeLessThan(0.25 * mean);
    }
  });
});
