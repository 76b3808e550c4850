import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadConfig } from '@starling/config';
import { Refusal } from '@starling/protocol';
import { SignJWT, type JWK } from 'jose';
import { pino } from 'pino';
import type { Authenticator } from './authenticator.js';
import { JwtAuthenticator } from './jwt-authenticator.js';
import { tokenKeys } from './token-keys.js';

interface Signer {
  readonly jwk: JWK;
  token(sub: string): Promise<string>;
}

function signer(type: 'rsa' | 'ec' | 'ed25519'): Signer {
  const { publicKey, privateKey } =
    type === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : type === 'ec'
        ? generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
        : generateKeyPairSync('ed25519');
  const alg = { rsa: 'RS256', ec: 'ES256', ed25519: 'EdDSA' }[type];
  const kid = randomUUID();
  return {
    jwk: { ...(publicKey.export({ format: 'jwk' }) as JWK), kid, alg, use: 'sig' },
    token: (sub) =>
      new SignJWT({ sub }).setProtectedHeader({ alg, kid }).setExpirationTime('1m').sign(privateKey),
  };
}

/** The login service whose keys the gateway asks for: a real HTTP server on this machine. */
class KeyServer {
  keys: unknown[] = [];
  /** Answers instead of the keys. */
  instead: { status: number; body: string } | 'silence' | null = null;
  asked = 0;
  private server!: Server;
  url = '';

  async start(port = 0): Promise<this> {
    this.server = createServer((_, response) => {
      this.asked++;
      if (this.instead === 'silence') return;
      response.statusCode = this.instead?.status ?? 200;
      response.end(this.instead?.body ?? JSON.stringify({ keys: this.keys }));
    });
    await new Promise<void>((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/keys`;
    return this;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

describe('keys from a URL', () => {
  let keyServer: KeyServer;
  let authenticator: Authenticator;
  let lines: string[];

  beforeEach(async () => {
    jest.useRealTimers();
    keyServer = await new KeyServer().start();
    lines = [];
    const config = loadConfig({ AUTH_MODE: 'jwt', JWT_JWKS_URL: keyServer.url });
    authenticator = new JwtAuthenticator(
      tokenKeys(config, pino({}, { write: (line) => lines.push(line) })),
      config,
    );
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await keyServer.stop();
  });

  /** Moves both clocks that the code reads, instead of waiting. */
  function later(ms: number): void {
    const [date, monotonic] = [Date.now(), performance.now()];
    jest.restoreAllMocks();
    jest.spyOn(Date, 'now').mockReturnValue(date + ms);
    jest.spyOn(performance, 'now').mockReturnValue(monotonic + ms);
  }

  async function outcome(token: string, userId = 'alice'): Promise<string> {
    try {
      await authenticator.authenticate({ token }, userId);
      return 'let in';
    } catch (error) {
      if (error instanceof Refusal) return error.error;
      throw error;
    }
  }

  it('lets in tokens of every kind of key, and asks once for all', async () => {
    const signers = [signer('rsa'), signer('ec'), signer('ed25519')];
    keyServer.keys = signers.map(({ jwk }) => jwk);
    const outcomes = await Promise.all(signers.map(async (each) => outcome(await each.token('alice'))));
    expect(outcomes).toEqual(['let in', 'let in', 'let in']);
    expect(keyServer.asked).toBe(1);
  });

  it('takes a new key after a rotation, and the old one no more', async () => {
    const [old, next] = [signer('ec'), signer('ec')];
    keyServer.keys = [old.jwk];
    expect(await outcome(await old.token('alice'))).toBe('let in');

    keyServer.keys = [next.jwk];
    later(5_001);
    expect(await outcome(await next.token('alice'))).toBe('let in');
    expect(await outcome(await old.token('alice'))).toBe('TOKEN_INVALID');
  });

  it('drops a withdrawn key within ten minutes even when no new one appears', async () => {
    const withdrawn = signer('ec');
    keyServer.keys = [withdrawn.jwk];
    expect(await outcome(await withdrawn.token('alice'))).toBe('let in');
    keyServer.keys = [];
    later(600_001);
    expect(await outcome(await withdrawn.token('alice'))).toBe('TOKEN_INVALID');
  });

  it('is not made to ask again and again by unknown keys', async () => {
    const [known, unknown] = [signer('ec'), signer('ec')];
    keyServer.keys = [known.jwk];
    expect(await outcome(await known.token('alice'))).toBe('let in');
    for (let i = 0; i < 20; i++) expect(await outcome(await unknown.token('alice'))).toBe('TOKEN_INVALID');
    expect(keyServer.asked).toBe(1);
  });

  it('refuses a secret among the keys: it would be public', async () => {
    const k = Buffer.alloc(32, 7);
    keyServer.keys = [{ kty: 'oct', k: k.toString('base64url'), kid: 'x', alg: 'HS256' }];
    const token = await new SignJWT({ sub: 'alice' })
      .setProtectedHeader({ alg: 'HS256', kid: 'x' })
      .setExpirationTime('1m')
      .sign(k);
    expect(await outcome(token)).toBe('TOKEN_INVALID');
  });

  it('is unavailable while the URL is down, and comes back by itself', async () => {
    const known = signer('ed25519');
    keyServer.keys = [known.jwk];
    const port = Number(new URL(keyServer.url).port);
    await keyServer.stop();
    const token = await known.token('alice');
    expect(await Promise.all([outcome(token), outcome(token)])).toEqual(['UNAVAILABLE', 'UNAVAILABLE']);

    await keyServer.start(port);
    later(1_001);
    expect(await outcome(token)).toBe('let in');
  });

  it('goes on with known keys while the URL is down', async () => {
    const known = signer('ed25519');
    keyServer.keys = [known.jwk];
    expect(await outcome(await known.token('alice'))).toBe('let in');
    keyServer.instead = { status: 503, body: '' };
    later(5_001);
    expect(await outcome(await signer('ed25519').token('alice'))).toBe('UNAVAILABLE');
    expect(await outcome(await known.token('alice'))).toBe('let in');
  });

  it.each([
    { status: 500, body: '' },
    { status: 302, body: '' },
    { status: 200, body: '<html>' },
    { status: 200, body: '{"keys":7}' },
    { status: 200, body: 'null' },
    { status: 200, body: '{"keys":[null]}' },
  ])('is unavailable on a bad answer: $status "$body"', async (instead) => {
    keyServer.instead = instead;
    expect(await outcome(await signer('ed25519').token('alice'))).toBe('UNAVAILABLE');
  });

  it('is unavailable when the URL does not answer in time', async () => {
    keyServer.instead = 'silence';
    expect(await outcome(await signer('ed25519').token('alice'))).toBe('UNAVAILABLE');
  });

  it('asks a failing URL once for many logins, logs it once, and never the token', async () => {
    keyServer.instead = { status: 503, body: '' };
    const token = await signer('ed25519').token('alice');
    for (let i = 0; i < 20; i++) expect(await outcome(token)).toBe('UNAVAILABLE');
    expect(keyServer.asked).toBe(1);
    expect(lines).toHaveLength(1);
    expect(lines.join()).not.toContain(token.split('.')[2]);
  });
});
