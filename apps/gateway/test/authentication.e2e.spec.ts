import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CloseReason } from '@starling/protocol';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import {
  accepted,
  type ChatClient,
  type ConnectOptions,
  expectRefusal,
  Starling,
  unique,
  useStarling,
} from '@starling/testing';

const SECRET = 'a shared secret of more than 32 bytes, for tests';

interface TokenOptions {
  readonly secret?: string;
  readonly audience?: string;
  readonly issuer?: string;
  readonly expires?: number | string;
  readonly notBefore?: number | string;
}

function token(sub: string, options: TokenOptions = {}): Promise<string> {
  const jwt = new SignJWT({ sub })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(options.expires ?? '5m');
  if (options.audience !== undefined) jwt.setAudience(options.audience);
  if (options.issuer !== undefined) jwt.setIssuer(options.issuer);
  if (options.notBefore !== undefined) jwt.setNotBefore(options.notBefore);
  return jwt.sign(new TextEncoder().encode(options.secret ?? SECRET));
}

/** Every place a token may stand in. */
const SOURCES: Record<string, (token: string) => ConnectOptions> = {
  'auth.token of Socket.IO': (jwt) => ({ form: 'object', auth: { token: jwt } }),
  'auth.token by polling': (jwt) => ({ form: 'object', transport: 'polling', auth: { token: jwt } }),
  'Authorization of Socket.IO': (jwt) => ({ form: 'frame', headers: { Authorization: `Bearer ${jwt}` } }),
  'Authorization of the byte endpoint': (jwt) => ({
    form: 'bytes',
    headers: { Authorization: `Bearer ${jwt}` },
  }),
  '?token= of the byte endpoint': (jwt) => ({ form: 'bytes', urlSuffix: `?token=${jwt}` }),
};
const NAMES = Object.keys(SOURCES);

function base64url(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}

describe('with a shared secret', () => {
  const starling = useStarling({
    env: {
      AUTH_MODE: 'jwt',
      JWT_SECRET: SECRET,
      JWT_AUDIENCE: 'chat',
      JWT_ISSUER: 'https://login.test',
      LOG_LEVEL: 'trace',
    },
    cluster: { gatewaysOnly: true },
  });
  const right = { audience: 'chat', issuer: 'https://login.test' };
  const tokens: string[] = [];

  async function connect(source: string, jwt: string, userId: string): Promise<ChatClient> {
    tokens.push(jwt);
    return starling.connect(userId, SOURCES[source]!(jwt));
  }

  it.each(NAMES)('a good token in %s binds its user', async (source) => {
    const ann = unique('ann');
    const client = await connect(source, await token(ann, right), ann);
    accepted(await client.login());
    accepted(await client.sendTo(ann, 'bound'));
  });

  it.each(NAMES)('a token of another user in %s is refused', async (source) => {
    const client = await connect(source, await token(unique('ann'), right), unique('eve'));
    expectRefusal(await client.login(), 'TOKEN_OF_ANOTHER_USER');
    expectRefusal(await client.sendTo(client.userId, 'not bound'), 'NOT_LOGGED_IN');
  });

  it.each(NAMES)('an expired token in %s is refused', async (source) => {
    const ann = unique('ann');
    const jwt = await token(ann, { ...right, expires: Math.floor(Date.now() / 1000) - 3600 });
    expectRefusal(await (await connect(source, jwt, ann)).login(), 'TOKEN_EXPIRED');
  });

  it.each(['object', 'frame', 'bytes'] as const)('no token at all is refused (%s)', async (form) => {
    const client = await starling.connect(unique('ann'), { form });
    expectRefusal(await client.login(), 'TOKEN_MISSING');
  });

  it('a token in the login packet does not count', async () => {
    const ann = unique('ann');
    const client = await starling.connect(ann, { form: 'bytes' });
    expectRefusal(await client.login({ token: await token(ann, right) }), 'TOKEN_MISSING');
  });

  it.each<[string, (sub: string) => Promise<string> | string]>([
    ['signed with another secret', (sub) => token(sub, { ...right, secret: `${SECRET}!` })],
    ['of another audience', (sub) => token(sub, { ...right, audience: 'mail' })],
    ['of no audience', (sub) => token(sub, { issuer: right.issuer })],
    ['of another issuer', (sub) => token(sub, { ...right, issuer: 'https://evil.test' })],
    ['not valid yet', (sub) => token(sub, { ...right, notBefore: '1h' })],
    [
      'with alg none',
      (sub) => `${base64url({ alg: 'none' })}.${base64url({ sub, aud: 'chat', iss: 'https://login.test' })}.`,
    ],
    [
      'with alg none and a signature',
      (sub) =>
        `${base64url({ alg: 'None' })}.${base64url({ sub, aud: 'chat', iss: 'https://login.test' })}.c2ln`,
    ],
    ['whose payload was changed', async (sub) => changedSubject(await token('somebody', right), sub)],
    ['that is rubbish', () => 'rubbish'],
    ['that is very long', () => 'x'.repeat(6000)],
  ])('a token %s is refused', async (_, make) => {
    const ann = unique('ann');
    const client = await connect('?token= of the byte endpoint', await make(ann), ann);
    expectRefusal(await client.login(), 'TOKEN_INVALID');
    expectRefusal(await client.sendTo(ann, 'not bound'), 'NOT_LOGGED_IN');
  });

  it.each<[unknown]>([[{ $gt: '' }], [['a']], [7], [null], [{ toString: 'x' }]])(
    'auth.token that is %j is refused',
    async (value) => {
      const client = await starling.connect(unique('ann'), { auth: { token: value } });
      expectRefusal(await client.login(), 'TOKEN_MISSING', 'TOKEN_INVALID');
    },
  );

  it('expiry of a token closes the connection with its reason, wherever the token came from', async () => {
    const expires = Math.floor(Date.now() / 1000) + 6;
    const bound = await Promise.all(
      NAMES.map(async (source) => {
        const ann = unique('ann');
        const client = await connect(source, await token(ann, { ...right, expires }), ann);
        accepted(await client.login({ push: true }));
        return { source, client };
      }),
    );
    for (const { source, client } of bound) {
      const closed = await client.waitForClose();
      expect(Date.now()).toBeGreaterThanOrEqual(expires * 1000);
      const push = client.packets.find(({ command }) => command === -14);
      expect(push).toMatchObject({ code: CloseReason.TOKEN_EXPIRED.code, reconnect: 'now' });
      if (source.includes('byte')) expect(closed.code).toBe(CloseReason.TOKEN_EXPIRED.code);
    }
  });

  it('no token, no signature and no secret is ever logged, at the finest level either', () => {
    expect(tokens.length).toBeGreaterThan(20);
    for (const jwt of tokens) {
      // The signature alone would tell whoever reads a log enough.
      const secrets = [jwt, jwt.split('.')[2] ?? ''].filter((text) => text.length > 10);
      for (const secret of secrets) expect(starling.output).not.toContain(secret);
    }
    expect(starling.output).not.toContain(SECRET);
    expect(starling.logs.some(({ level }) => level === 'debug' || level === 'trace')).toBe(true);
  });
});

function changedSubject(jwt: string, sub: string): string {
  const [header, payload, signature] = jwt.split('.') as [string, string, string];
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  return `${header}.${base64url({ ...claims, sub })}.${signature}`;
}

describe.each(['RS256', 'ES256', 'EdDSA'])('with a public key of %s', (alg) => {
  const starling = new Starling({ cluster: { gatewaysOnly: true } });
  let pem: string;
  let privateKey: CryptoKey;

  beforeAll(async () => {
    const pair = await generateKeyPair(alg, { extractable: true });
    pem = await exportSPKI(pair.publicKey);
    privateKey = pair.privateKey;
    await starling.start({ AUTH_MODE: 'jwt', JWT_PUBLIC_KEY: pem.replaceAll('\n', '\\n') });
  });
  afterEach(() => starling.closeClients());
  afterAll(() => starling.dispose());

  async function answerTo(jwt: string, userId: string) {
    const client = await starling.connect(userId, { form: 'bytes', urlSuffix: `?token=${jwt}` });
    return client.login();
  }

  it('a token signed with its private key binds the user', async () => {
    const jwt = await new SignJWT({ sub: 'ann' })
      .setProtectedHeader({ alg })
      .setExpirationTime('5m')
      .sign(privateKey);
    accepted(await answerTo(jwt, 'ann'));
  });

  it('a token signed with another key is refused', async () => {
    const other = await generateKeyPair(alg);
    const jwt = await new SignJWT({ sub: 'ann' })
      .setProtectedHeader({ alg })
      .setExpirationTime('5m')
      .sign(other.privateKey);
    expectRefusal(await answerTo(jwt, 'ann'), 'TOKEN_INVALID');
  });

  it.each([
    ['as it was configured', () => pem],
    ['without its line ends', () => pem.replaceAll('\n', '')],
    ['trimmed', () => pem.trim()],
  ])('a token that uses the public key as a shared secret (%s) is refused', async (_, secret) => {
    expectRefusal(await answerTo(await token('ann', { secret: secret() }), 'ann'), 'TOKEN_INVALID');
  });
});

describe('with a JWKS URL', () => {
  const starling = new Starling({ cluster: { gatewaysOnly: true } });
  let keys: Server;
  let sign: (sub: string, kid: string) => Promise<string>;

  beforeAll(async () => {
    const pair = await generateKeyPair('ES256', { extractable: true });
    const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'ES256', use: 'sig' };
    keys = createServer((_, response) => response.end(JSON.stringify({ keys: [jwk] })));
    await new Promise<void>((resolve) => keys.listen(0, '127.0.0.1', resolve));
    sign = (sub, kid) =>
      new SignJWT({ sub })
        .setProtectedHeader({ alg: 'ES256', kid })
        .setExpirationTime('5m')
        .sign(pair.privateKey);
    await starling.start({
      AUTH_MODE: 'jwt',
      JWT_JWKS_URL: `http://127.0.0.1:${(keys.address() as AddressInfo).port}/jwks`,
    });
  });
  afterEach(() => starling.closeClients());
  afterAll(async () => {
    await starling.dispose();
    await new Promise((resolve) => keys.close(resolve));
  });

  it('a token of a listed key binds the user', async () => {
    const ann = await starling.connect('ann', { auth: { token: await sign('ann', 'one') } });
    accepted(await ann.login());
  });

  it('a token of an unlisted key is refused', async () => {
    const ann = await starling.connect('ann', { auth: { token: await sign('ann', 'two') } });
    expectRefusal(await ann.login(), 'TOKEN_INVALID');
  });
});

describe('AUTH_MODE=open', () => {
  it('is refused on an address of the network, unless a second switch is set; then it is warned of', async () => {
    const refused = new Starling({ cluster: { gatewaysOnly: true } });
    const process = refused.spawn({ HOST: '0.0.0.0' });
    const exit = await process.exited;
    expect(exit.code).not.toBe(0);
    expect(process.lines.join('\n')).toContain('AUTH_OPEN_ANYWHERE');
    await refused.dispose();

    const warned = new Starling({ cluster: { gatewaysOnly: true } });
    await warned.start({ HOST: '0.0.0.0', AUTH_OPEN_ANYWHERE: 'true' });
    expect(warned.logs.some(({ level, msg }) => level === 'warn' && /AUTH_MODE|open/.test(msg ?? ''))).toBe(
      true,
    );
    await warned.dispose();
  });

  it('warns also on a loopback address', async () => {
    const starling = new Starling({ cluster: { gatewaysOnly: true } });
    await starling.start();
    expect(starling.logs.some(({ level, msg }) => level === 'warn' && /AUTH_MODE|open/.test(msg ?? ''))).toBe(
      true,
    );
    await starling.dispose();
  });
});
