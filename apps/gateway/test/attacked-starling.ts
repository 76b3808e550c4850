import { type ClusterOptions, type Starling, until, useStarling } from '@starling/testing';

export const MB = 1 << 20;

interface Attacked {
  readonly starling: Starling;
  /** To be called last in a file: a test of what its attacks left. */
  readonly itLeavesNothingBehind: () => void;
}

/** One server for the attacks of a test file. After each it must be as well as before. */
export function useAttackedStarling(cluster: ClusterOptions = {}): Attacked {
  const env = { LOGIN_TIMEOUT_MS: '6000', MAX_CONNECTIONS_PER_ADDRESS: '300', SILENCE_TIMEOUT_MS: '5000' };
  const starling = useStarling({ env, cluster });
  let before: number;
  beforeAll(async () => {
    await starling.expectWell();
    before = await starling.residentBytes();
  });
  afterEach(() => starling.expectWell());

  const itLeavesNothingBehind = () =>
    it('leaves no connection, no memory and no fatal line behind', async () => {
      await until(
        'connections to be gone',
        async () => (await starling.metric('starling_connections')) === 0,
      );
      // Node keeps some for its own sake, in each process.
      const kept = 150 * MB * starling.gateways.length;
      expect((await starling.residentBytes()) - before).toBeLessThan(kept);
      for (const { level } of starling.logs) expect(level).not.toBe('fatal');
    });
  return { starling, itLeavesNothingBehind };
}
