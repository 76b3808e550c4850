import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { loadConfig } from '@starling/config';
import { Refusal, type ErrorName } from '@starling/protocol';
import { SignJWT, UnsecuredJWT, type JWTHeaderParameters, type JWTPayload } from 'jose';
import { pino } from 'pino';
import { authenticatorContract } from './authenticator.contract.js';
import type { Authenticator } from './authenticator.js';
import { JwtAuthenticator } from './jwt-authenticator.js';
import { tokenKeys } from './token-keys.js';

const SECRET = 'a secret that is long enough for HS256';
const AUDIENCE = 'chat';
const ISSUER = 'https://login.example.com';
const logger = pino({ level: 'silent' });

const now = () => Math.floor(Date.now() / 1000);
const claims = (): JWTPayload => ({ sub: 'alice', aud: AUDIENCE, iss: ISSUER, exp: now() + 60 });
const pemOf = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();

function authenticatorFor(variables: Record<string, string>): Authenticator {
  const config = loadConfig({ AUTH_MODE: 'jwt', JWT_AUDIENCE: AUDIENCE, JWT_ISSUER: ISSUER, ...variables });
  return new JwtAuthenticator(tokenKeys(config, logger), config);
}

function signed(
  payload: JWTPayload,
  key: KeyObject | Uint8Array,
  header: JWTHeaderParameters,
): Promise<string> {
  return new SignJWT(payload).setProtectedHeader(header).sign(key);
}

const bySecret = (payload: JWTPayload, secret = SECRET) =>
  signed(payload, new TextEncoder().encode(secret), { alg: 'HS256' });

/** A token of the parts as they are; jose would not sign most of these. */
function handmade(header: object, payload: object | string, signature: (input: string) => string): string {
  const part = (value: object | string) =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  const input = `${part(header)}.${part(payload)}`;
  return `${input}.${signature(input)}`;
}

const hmac = (secret: string) => (input: string) =>
  createHmac('sha256', secret).update(input).digest('base64url');

async function refusalOf(
  authenticator: Authenticator,
  token: string | null,
  userId = 'alice',
): Promise<ErrorName> {
  const outcome = await authenticator.authenticate({ token }, userId).catch((error: unknown) => error);
  if (!(outcome instanceof Refusal)) throw new Error(`no refusal but ${JSON.stringify(outcome)}`);
  return outcome.error;
}

authenticatorContract('the jwt authenticator', async () => ({
  authenticator: authenticatorFor({ JWT_SECRET: SECRET }),
  tokenOf: (sub) => bySecret({ ...claims(), sub }),
}));

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const ed = generateKeyPairSync('ed25519');

describe('every kind of key', () => {
  it.each([
    ['RS256', rsa],
    ['ES256', ec],
    ['EdDSA', ed],
    ['Ed25519', ed],
  ])('lets %s in, and no other algorithm of that key', async (alg, { publicKey, privateKey }) => {
    const authenticator = authenticatorFor({ JWT_PUBLIC_KEY: pemOf(publicKey) });
    const payload = claims();
    await expect(
      authenticator.authenticate({ token: await signed(payload, privateKey, { alg }) }, 'alice'),
    ).resolves.toEqual({ expiresAt: (payload.exp! + 5) * 1000 });
  });

  it('does not take a weaker or another algorithm of the same key', async () => {
    const authenticator = authenticatorFor({ JWT_PUBLIC_KEY: pemOf(rsa.publicKey) });
    for (const alg of ['PS256', 'RS512']) {
      expect(await refusalOf(authenticator, await signed(claims(), rsa.privateKey, { alg }))).toBe(
        'TOKEN_INVALID',
      );
    }
  });
});

describe('forged tokens', () => {
  const authenticator = authenticatorFor({ JWT_SECRET: SECRET });

  it('no token', async () => {
    expect(await refusalOf(authenticator, null)).toBe('TOKEN_MISSING');
  });

  it('alg: none, in every spelling, signed or not', async () => {
    expect(await refusalOf(authenticator, new UnsecuredJWT(claims()).encode())).toBe('TOKEN_INVALID');
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', null, 0, ['HS256'], { toString: 'HS256' }]) {
      for (const signature of [() => '', hmac(SECRET)]) {
        expect(await refusalOf(authenticator, handmade({ alg }, claims(), signature))).toBe('TOKEN_INVALID');
      }
    }
    expect(await refusalOf(authenticator, handmade({}, claims(), hmac(SECRET)))).toBe('TOKEN_INVALID');
  });

  it('key confusion: HS256 with the public key as the secret', async () => {
    for (const { publicKey } of [rsa, ec, ed]) {
      const pem = pemOf(publicKey);
      const byPublicKey = authenticatorFor({ JWT_PUBLIC_KEY: pem });
      const der = publicKey.export({ type: 'spki', format: 'der' });
      for (const secret of [pem, pem.trim(), der.toString('latin1')]) {
        const token = handmade({ alg: 'HS256', typ: 'JWT' }, claims(), hmac(secret));
        expect(await refusalOf(byPublicKey, token)).toBe('TOKEN_INVALID');
      }
    }
  });

  it('keys that the token itself brings or names', async () => {
    const byPublicKey = authenticatorFor({ JWT_PUBLIC_KEY: pemOf(ed.publicKey) });
    const own = generateKeyPairSync('ed25519');
    const jwk = own.publicKey.export({ format: 'jwk' });
    const headers: JWTHeaderParameters[] = [
      { alg: 'EdDSA', jwk: jwk },
      { alg: 'EdDSA', jku: 'http://127.0.0.1:9/keys' },
      { alg: 'EdDSA', kid: '../../../../dev/null' },
    ];
    for (const header of headers) {
      expect(await refusalOf(byPublicKey, await signed(claims(), own.privateKey, header))).toBe(
        'TOKEN_INVALID',
      );
    }
  });

  it('another key', async () => {
    expect(await refusalOf(authenticator, await bySecret(claims(), `${SECRET}.`))).toBe('TOKEN_INVALID');
    const other = generateKeyPairSync('ed25519');
    const byPublicKey = authenticatorFor({ JWT_PUBLIC_KEY: pemOf(ed.publicKey) });
    expect(await refusalOf(byPublicKey, await signed(claims(), other.privateKey, { alg: 'EdDSA' }))).toBe(
      'TOKEN_INVALID',
    );
  });

  it('a changed byte anywhere', async () => {
    const token = await bySecret(claims());
    // The last character of a part may hold unused bits, so one before it is changed.
    const places = token.split('.').map((_, part, parts) => parts.slice(0, part + 1).join('.').length - 3);
    for (const place of places) {
      const other = token[place] === 'A' ? 'B' : 'A';
      const changed = token.slice(0, place) + other + token.slice(place + 1);
      expect(await refusalOf(authenticator, changed)).toBe('TOKEN_INVALID');
    }
  });

  it.each([
    'x',
    'a.b',
    'a.b.c.d.e',
    '{"alg":"HS256"}.{}.x',
    Buffer.from('[]').toString('base64url') + '.e30.x',
    `${'A'.repeat(16_384)}.e30.x`,
    'Bearer x.y.z',
  ])('garbage (%#)', async (token) => {
    expect(await refusalOf(authenticator, token)).toBe('TOKEN_INVALID');
  });

  it('a valid token that is too long to be looked at', async () => {
    const token = await bySecret({ ...claims(), filler: 'x'.repeat(16_384) });
    expect(await refusalOf(authenticator, token)).toBe('TOKEN_INVALID');
  });

  it('a signed payload that is no set of claims', async () => {
    for (const payload of [
      '[]',
      'null',
      '"alice"',
      'alice',
      '{"sub":"alice"',
      '{"sub":"alice","exp":1e999}',
    ]) {
      const token = handmade({ alg: 'HS256' }, payload, hmac(SECRET));
      expect(await refusalOf(authenticator, token)).toBe('TOKEN_INVALID');
    }
  });

  it('an unknown critical header', async () => {
    const token = handmade({ alg: 'HS256', crit: ['x'], x: 1 }, claims(), hmac(SECRET));
    expect(await refusalOf(authenticator, token)).toBe('TOKEN_INVALID');
  });
});

describe('claims', () => {
  const authenticator = authenticatorFor({ JWT_SECRET: SECRET });
  const refused = async (changes: Record<string, unknown>) =>
    refusalOf(authenticator, handmade({ alg: 'HS256' }, { ...claims(), ...changes }, hmac(SECRET)));

  it('expired', async () => {
    expect(await refused({ exp: now() - 6 })).toBe('TOKEN_EXPIRED');
    expect(await refused({ exp: 0 })).toBe('TOKEN_EXPIRED');
    expect(await refused({ exp: now() - 6, sub: 'bob' })).toBe('TOKEN_EXPIRED');
  });

  it('expired within the tolerance still counts, until the tolerance is over', async () => {
    const exp = now() - 2;
    const { expiresAt } = await authenticator.authenticate(
      { token: await bySecret({ ...claims(), exp }) },
      'alice',
    );
    expect(expiresAt).toBe((exp + 5) * 1000);
    expect(expiresAt).toBeGreaterThan(Date.now());
  });

  it('without an end, or with one that is no time', async () => {
    for (const exp of [undefined, null, '9999999999', {}, [now() + 60], true]) {
      expect(await refused({ exp })).toBe('TOKEN_INVALID');
    }
  });

  it('not yet valid', async () => {
    expect(await refused({ nbf: now() + 30 })).toBe('TOKEN_INVALID');
    const token = await bySecret({ ...claims(), nbf: now() + 2 });
    await expect(authenticator.authenticate({ token }, 'alice')).resolves.toBeDefined();
  });

  it('wrong audience or issuer', async () => {
    for (const aud of ['billing', '', undefined, null, ['billing'], [], {}, 'chat ', 'Chat']) {
      expect(await refused({ aud })).toBe('TOKEN_INVALID');
    }
    for (const iss of ['https://evil.example.com', '', undefined, [ISSUER, 'x'], `${ISSUER}/`]) {
      expect(await refused({ iss })).toBe('TOKEN_INVALID');
    }
    const token = await bySecret({ ...claims(), aud: ['billing', AUDIENCE] });
    await expect(authenticator.authenticate({ token }, 'alice')).resolves.toBeDefined();
  });

  it('are not asked for an audience and an issuer that are not configured', async () => {
    const lenient = authenticatorFor({ JWT_SECRET: SECRET, JWT_AUDIENCE: '', JWT_ISSUER: '' });
    const token = await bySecret({ sub: 'alice', exp: now() + 60 });
    await expect(lenient.authenticate({ token }, 'alice')).resolves.toBeDefined();
  });

  it('of another user, letter by letter', async () => {
    for (const sub of ['bob', 'Alice', 'alice ', 'alic\u00e9', 'a\u200blice']) {
      expect(await refused({ sub })).toBe('TOKEN_OF_ANOTHER_USER');
    }
  });

  it('of nobody', async () => {
    for (const sub of [undefined, null, '', 7, ['alice'], { $gt: '' }]) {
      expect(await refused({ sub })).toBe('TOKEN_INVALID');
    }
  });
});
