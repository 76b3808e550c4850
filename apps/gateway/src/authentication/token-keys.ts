import { createPublicKey } from 'node:crypto';
import type { Config } from '@starling/config';
import { Refusal } from '@starling/protocol';
import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';
import type { Logger } from 'pino';

/** Where the keys of tokens come from, and the only algorithms that a token may name with them. */
export interface TokenKeys {
  /** Pinned by the kind of key, never taken from the token: so `alg: none` and a public key used as a secret fail. */
  readonly algorithms: string[];
  /** Rejects with a `Refusal` UNAVAILABLE when the keys cannot be had at the moment. */
  readonly keyOf: JWTVerifyGetKey;
}

type KeyVariables = Pick<Config, 'JWT_SECRET' | 'JWT_PUBLIC_KEY' | 'JWT_JWKS_URL'>;

/** Exactly one of the three is set; libs/config sees to it. */
export function tokenKeys(config: KeyVariables, logger: Logger): TokenKeys {
  if (config.JWT_SECRET !== '') {
    const secret = new TextEncoder().encode(config.JWT_SECRET);
    return { algorithms: ['HS256'], keyOf: async () => secret };
  }
  if (config.JWT_PUBLIC_KEY !== '') return keysOfPem(config.JWT_PUBLIC_KEY);
  return keysOfUrl(new URL(config.JWT_JWKS_URL), logger);
}

const ALGORITHMS: Readonly<Record<string, string[]>> = {
  rsa: ['RS256'],
  ec: ['ES256'],
  ed25519: ['EdDSA', 'Ed25519'],
};

function keysOfPem(pem: string): TokenKeys {
  const key = createPublicKey(pem);
  return { algorithms: ALGORITHMS[key.asymmetricKeyType ?? ''] ?? [], keyOf: async () => key };
}

/** A token with an unknown key id makes the URL be asked again, but not sooner than this after a success … */
const ASK_AGAIN_AFTER_MS = 5_000;
/** … and not sooner than this after a failure: logins meanwhile are refused at once. */
const PAUSE_AFTER_FAILURE_MS = 1_000;
/** A key that was withdrawn at the URL counts for at most this long. */
const KEYS_COUNT_FOR_MS = 600_000;
const WARN_AGAIN_AFTER_MS = 60_000;

function keysOfUrl(url: URL, logger: Logger): TokenKeys {
  let askedAt = -Infinity;
  let warnedAt = -Infinity;
  const keySet = createRemoteJWKSet(url, {
    timeoutDuration: 3_000,
    cooldownDuration: ASK_AGAIN_AFTER_MS,
    cacheMaxAge: KEYS_COUNT_FOR_MS,
    [customFetch]: async (address, options) => {
      if (performance.now() - askedAt < PAUSE_AFTER_FAILURE_MS) throw new Error('asked a moment ago');
      askedAt = performance.now();
      return fetch(address, options);
    },
  });
  return {
    algorithms: Object.values(ALGORITHMS).flat(),
    keyOf: async (header, token) => {
      try {
        return await keySet(header, token);
      } catch (err) {
        if (isAboutTheToken(err)) throw err;
        if (performance.now() - warnedAt > WARN_AGAIN_AFTER_MS) {
          warnedAt = performance.now();
          logger.warn({ err }, 'the keys of tokens cannot be had from JWT_JWKS_URL; logins are refused');
        }
        throw new Refusal('UNAVAILABLE');
      }
    },
  };
}

function isAboutTheToken(err: unknown): boolean {
  return (
    err instanceof errors.JWKSNoMatchingKey ||
    err instanceof errors.JWKSMultipleMatchingKeys ||
    err instanceof errors.JOSENotSupported
  );
}
