import type { Config } from '@starling/config';
import { Refusal } from '@starling/protocol';
import { errors, jwtVerify, type JWTPayload } from 'jose';
import type { Authentication, Authenticator, Handshake } from './authenticator.js';
import type { TokenKeys } from './token-keys.js';

/** For clocks that differ, in seconds; counts for `exp` and `nbf`. */
const CLOCK_TOLERANCE_S = 5;
/** Signatures of longer texts are not even looked at. */
const LONGEST_TOKEN = 16_384;

/**
 * Believes signed tokens: `sub` is the user, `exp` is required (a token that leaked must end by itself),
 * `nbf` is kept to, `aud` and `iss` as configured.
 */
export class JwtAuthenticator implements Authenticator {
  constructor(
    private readonly keys: TokenKeys,
    private readonly expected: Pick<Config, 'JWT_AUDIENCE' | 'JWT_ISSUER'>,
  ) {}

  async authenticate({ token }: Handshake, userId: string): Promise<Authentication> {
    if (token === null) throw new Refusal('TOKEN_MISSING');
    if (token.length > LONGEST_TOKEN) throw new Refusal('TOKEN_INVALID');
    const { sub, exp } = await this.verified(token);
    // A signer can write 1e999, which JSON reads as Infinity.
    if (typeof sub !== 'string' || sub === '' || !Number.isFinite(exp)) throw new Refusal('TOKEN_INVALID');
    if (sub !== userId) throw new Refusal('TOKEN_OF_ANOTHER_USER');
    return { expiresAt: (exp! + CLOCK_TOLERANCE_S) * 1000 };
  }

  private async verified(token: string): Promise<JWTPayload> {
    try {
      const { payload } = await jwtVerify(token, this.keys.keyOf, {
        algorithms: this.keys.algorithms,
        audience: this.expected.JWT_AUDIENCE || undefined,
        issuer: this.expected.JWT_ISSUER || undefined,
        clockTolerance: CLOCK_TOLERANCE_S,
      });
      return payload;
    } catch (error) {
      if (error instanceof Refusal) throw error;
      throw new Refusal(error instanceof errors.JWTExpired ? 'TOKEN_EXPIRED' : 'TOKEN_INVALID');
    }
  }
}
