import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { items, kind, Misfit } from './kind.js';
import { isLoopback } from './network-kinds.js';

export interface CipherKey {
  /** 1 to 64 visible ASCII characters. */
  readonly id: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

export const cipherKeys = kind('keys as id:base64 of 32 bytes, comma-separated', (value) => {
  const keys = items(value).map((item, i): CipherKey => {
    const colon = item.indexOf(':');
    const [id, base64] = [item.slice(0, Math.max(colon, 0)), item.slice(colon + 1)];
    if (!/^[\x21-\x7e]{1,64}$/.test(id)) {
      throw new Misfit(
        `must be keys as id:base64 with ids of 1 to 64 visible ASCII characters, which item ${i + 1} is not`,
      );
    }
    const key = Buffer.from(base64, 'base64');
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || key.length !== 32) {
      throw new Misfit(`must be keys as id:base64 of exactly 32 bytes, which item ${i + 1} is not`);
    }
    return { id, key: new Uint8Array(key) };
  });
  const ids = keys.map(({ id }) => id);
  if (new Set(ids).size < ids.length) throw new Misfit('must not give two keys the same id');
  return keys;
});

const SECRET_BYTES = 32;

export const sharedSecret = kind(`at least ${SECRET_BYTES} bytes`, (value) => {
  const bytes = Buffer.byteLength(value);
  if (value !== '' && bytes < SECRET_BYTES)
    throw new Misfit(`must be at least ${SECRET_BYTES} bytes long, and has ${bytes}`);
  return value;
});

/** Its value is the PEM text, also when the variable held a path. */
export const publicKey = kind(
  'PEM of an RSA (2048 bits or more), P-256 or Ed25519 key, or its path',
  (value) => {
    if (value === '') return '';
    const pem = value.startsWith('-----BEGIN ') ? value.replaceAll('\\n', '\n') : contentsOf(value);
    if (pem.includes('PRIVATE KEY')) throw new Misfit('must be the public key, and is a private one');
    const key = parsed(pem);
    const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
    const fits =
      (key.asymmetricKeyType === 'rsa' && modulusLength >= 2048) ||
      (key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1') ||
      key.asymmetricKeyType === 'ed25519';
    if (!fits) throw new Misfit('must be an RSA key of 2048 bits or more, a P-256 key or an Ed25519 key');
    return pem;
  },
);

function contentsOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new Misfit(
      `must be a PEM public key or the path of a file with one, and no such file can be read (${code})`,
    );
  }
}

function parsed(pem: string): KeyObject {
  try {
    return createPublicKey(pem);
  } catch {
    throw new Misfit('must be a PEM public key or the path of a file with one, and cannot be read as PEM');
  }
}

/** Keys fetched over plain http could be replaced on the way, so it is for this machine only. */
export const keySetUrl = kind('https URL; http only of this machine', (value) => {
  if (value === '') return '';
  if (!URL.canParse(value)) throw new Misfit('must be a URL');
  const url = new URL(value);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new Misfit('must be an https URL');
  if (url.protocol === 'http:' && !isLoopback(url.hostname))
    throw new Misfit('must be an https URL: plain http is for this machine only');
  if (url.username !== '' || url.password !== '') throw new Misfit('must not hold a user name or password');
  return url.href;
});

/** Its value may hold a password. */
export const redisServer = kind('URL as redis://host:port or, with TLS, rediss://host:port', (value) => {
  const url = URL.canParse(value) ? new URL(value) : null;
  if (url === null || !/^rediss?:$/.test(url.protocol) || url.hostname === '') {
    throw new Misfit('must be a URL as redis://host:port or rediss://host:port');
  }
  if (!/^(\/\d*)?$/.test(url.pathname)) throw new Misfit('must have no path but the number of a database');
  return value;
});
