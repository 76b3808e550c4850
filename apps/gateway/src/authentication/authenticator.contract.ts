import { Refusal } from '@starling/protocol';
import type { Authenticator } from './authenticator.js';

export interface AuthenticatorHarness {
  readonly authenticator: Authenticator;
  /** What proves to this implementation that its bearer is `userId`; null where no proof is asked for. */
  tokenOf(userId: string): Promise<string | null>;
}

/** What connection and login may rely on, whichever implementation is wired. */
export function authenticatorContract(name: string, create: () => Promise<AuthenticatorHarness>): void {
  describe(`${name} keeps the authenticator contract`, () => {
    let harness: AuthenticatorHarness;
    beforeEach(async () => {
      harness = await create();
    });

    it.each(['alice', 'ünï/çødé "☃"', '😀', '__proto__', ' ', 'x'.repeat(128)])(
      'lets %p in with their own proof, again and again',
      async (userId) => {
        const token = await harness.tokenOf(userId);
        const first = await harness.authenticator.authenticate({ token }, userId);
        const again = await harness.authenticator.authenticate({ token }, userId);
        expect(again).toEqual(first);
      },
    );

    it('says until when, in milliseconds ahead, or never', async () => {
      const token = await harness.tokenOf('alice');
      const { expiresAt } = await harness.authenticator.authenticate({ token }, 'alice');
      if (expiresAt !== null) {
        expect(Number.isFinite(expiresAt)).toBe(true);
        expect(expiresAt).toBeGreaterThan(Date.now());
      }
    });

    it.each([null, '', '.', '..', 'a.b.c', '\u0000', '\ud800', 'x'.repeat(1_000_000), '.'.repeat(100_000)])(
      'settles with an answer or a refusal that repeats nothing, whatever the token (%#)',
      async (token) => {
        const outcome = await harness.authenticator
          .authenticate({ token }, 'alice')
          .catch((error: unknown) => error);
        if (outcome instanceof Error) {
          expect(outcome).toBeInstanceOf(Refusal);
          expect(['TOKEN_MISSING', 'TOKEN_INVALID']).toContain((outcome as Refusal).error);
          if (token !== null && token.length > 2) expect(outcome.message).not.toContain(token);
        } else {
          expect(outcome).toEqual({ expiresAt: null });
        }
      },
    );
  });
}
