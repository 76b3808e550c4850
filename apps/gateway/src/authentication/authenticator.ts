/** What a connection brought along that may prove who is behind it; see token-source.ts. */
export interface Handshake {
  /** Never logged, never echoed. */
  readonly token: string | null;
}

export interface Authentication {
  /**
   * The moment, in milliseconds since 1970, from which the proof no longer counts and the connection has to be
   * closed; null: never. May lie further ahead than one timer can wait (2^31 - 1 ms).
   */
  readonly expiresAt: number | null;
}

/** Decides whether the connection may act as the user that its login names. */
export interface Authenticator {
  /**
   * Rejects with a `Refusal` only: TOKEN_MISSING, TOKEN_INVALID, TOKEN_EXPIRED, TOKEN_OF_ANOTHER_USER, or
   * UNAVAILABLE when the keys cannot be had at the moment. No refusal repeats any part of the token.
   */
  authenticate(handshake: Handshake, userId: string): Promise<Authentication>;
}

export const AUTHENTICATOR = Symbol('Authenticator');
