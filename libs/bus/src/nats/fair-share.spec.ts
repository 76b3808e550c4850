import { fairShare } from './fair-share.js';

describe('fairShare', () => {
  it.each([
    [8, 1],
    [8, 3],
    [8, 5],
    [8, 8],
    [3, 7],
    [1024, 9],
  ])(
    'spreads %i partitions over %i workers, all of them and none two more than another',
    (partitions, count) => {
      const workers = Array.from({ length: count }, (_, i) => `w${i}`);
      const shares = workers.map((worker) => fairShare(worker, workers, partitions));
      expect(shares.reduce((sum, share) => sum + share, 0)).toBe(partitions);
      expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
    },
  );

  it('does not depend on the order in which workers were seen', () => {
    expect(fairShare('a', ['c', 'b', 'a'], 4)).toBe(2);
    expect(fairShare('c', ['a', 'c', 'b'], 4)).toBe(1);
  });

  it('gives nothing to who is not among the living', () => {
    expect(fairShare('gone', ['a', 'b'], 8)).toBe(0);
  });
});
