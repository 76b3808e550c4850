import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigurationError, loadConfig } from './load-config.js';
import { VARIABLES, type VariableName } from './variables.js';

type Environment = Record<string, string | undefined>;

function refusal(environment: Environment): ConfigurationError {
  try {
    loadConfig(environment);
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
    throw error;
  }
  throw new Error(`was accepted: ${JSON.stringify(environment)}`);
}

const named = (environment: Environment) => refusal(environment).problems.map(({ variable }) => variable);

const SECRET = 's'.repeat(32);
const KEY = Buffer.alloc(32, 7).toString('base64');
const pem = (key: { export(options: { type: 'spki'; format: 'pem' }): string | Buffer }) =>
  key.export({ type: 'spki', format: 'pem' }).toString();

describe('loadConfig', () => {
  it('takes every default for an empty environment', () => {
    const config = loadConfig({});
    expect(config).toMatchObject({
      HOST: '127.0.0.1',
      PORT: 3000,
      WS_PATH: '/ws',
      AUTH_MODE: 'open',
      ALLOWED_ORIGINS: ['loopback'],
      TRUSTED_PROXIES: [],
      CIPHER_KEYS: [],
      GROUPS_AUTO_CREATE: true,
    });
    expect(Object.keys(config).sort()).toEqual(Object.keys(VARIABLES).sort());
  });

  it('accepts every example of the documentation', () => {
    for (const [name, { example }] of Object.entries(VARIABLES)) {
      if (name === 'JWT_PUBLIC_KEY') continue;
      const jwt = name.startsWith('JWT_') || name === 'AUTH_MODE';
      const keyed = name === 'JWT_JWKS_URL' ? {} : { JWT_SECRET: SECRET };
      const room = name === 'MAX_PACKET_BYTES' ? { MAX_OUTBOUND_BYTES: '4194304' } : {};
      const open = jwt ? { AUTH_MODE: 'jwt', ...keyed } : { AUTH_OPEN_ANYWHERE: 'true' };
      expect(() => loadConfig({ ...room, ...open, [name]: example })).not.toThrow();
    }
  });

  it('ignores unknown variables and takes empty ones for absent', () => {
    expect(loadConfig({ PORT: '', HOME: '/nowhere', PORTT: 'x' })).toEqual(loadConfig({}));
  });

  it('gives a configuration that nobody can change', () => {
    expect(() => Object.assign(loadConfig({}), { AUTH_MODE: 'open' })).toThrow(TypeError);
  });

  it('names every problem at once, with what is wrong and an example', () => {
    const error = refusal({ PORT: '80a', LOG_LEVEL: 'loud', GROUPS_AUTO_CREATE: 'yes', PACKETS_BURST: '0' });
    expect(error.message.split('\n')).toEqual([
      'The configuration cannot be used:',
      '  PORT must be a whole number from 0 to 65535 (for example PORT=8080)',
      '  LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent (for example LOG_LEVEL=debug)',
      '  PACKETS_BURST must be a whole number from 1 to 1000000 (for example PACKETS_BURST=40)',
      '  GROUPS_AUTO_CREATE must be true or false (for example GROUPS_AUTO_CREATE=false)',
    ]);
  });

  it.each<[VariableName, string]>([
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '3e3'],
    ['PORT', ' 3000'],
    ['PORT', '3000.5'],
    ['PORT', '9'.repeat(400)],
    ['WS_PATH', 'ws'],
    ['WS_PATH', '/ws?x=1'],
    ['WS_PATH', '/socket.io/'],
    ['WS_PATH', '/healthz'],
    ['AUTH_MODE', 'none'],
    ['AUTH_OPEN_ANYWHERE', '1'],
    ['TRUSTED_PROXIES', '10.0.0.1'],
    ['TRUSTED_PROXIES', '10.0.0.0/33'],
    ['TRUSTED_PROXIES', '10.0.0.0/8,everybody'],
    ['TRUSTED_PROXIES', '0x0a.0.0.0/8'],
    ['TRUSTED_PROXIES', '::ffff:10.0.0.0/104'],
    ['ALLOWED_ORIGINS', 'app.example.com'],
    ['ALLOWED_ORIGINS', 'https://app.example.com/path'],
    ['ALLOWED_ORIGINS', 'https://app.example.com?x'],
    ['ALLOWED_ORIGINS', 'https://user@app.example.com'],
    ['ALLOWED_ORIGINS', 'https://app.*.com'],
    ['ALLOWED_ORIGINS', 'https://*example.com'],
    ['ALLOWED_ORIGINS', 'https://*.*.com'],
    ['ALLOWED_ORIGINS', 'https://app.example.com:99999'],
    ['ALLOWED_ORIGINS', 'https://a.example,null'],
    ['CIPHER_KEYS', 'k1'],
    ['CIPHER_KEYS', `:${KEY}`],
    ['CIPHER_KEYS', 'k1:c2hvcnQ='],
    ['CIPHER_KEYS', `k1:${KEY}!`],
    ['CIPHER_KEYS', `k1:${KEY},k1:${KEY}`],
    ['CIPHER_KEYS', `${'k'.repeat(65)}:${KEY}`],
    ['CIPHER_KEYS', `schlüssel:${KEY}`],
    ['NATS_URL', ','],
    ['NATS_URL', 'nats-0:4222'],
    ['NATS_URL', 'http://nats-0:4222'],
    ['NATS_URL', 'nats://nats-0:4222,nats://nats-1:99999'],
    ['NATS_URL', 'nats://nats-0:4222/im?x=1'],
    ['MONGODB_URL', 'mongo:27017/starling'],
    ['MONGODB_URL', 'http://mongo:27017/starling'],
    ['MONGODB_URL', 'mongodb://mongo:27017'],
    ['MONGODB_URL', 'mongodb://mongo:27017/?replicaSet=rs0'],
    ['MONGODB_URL', 'mongodb://mongo:27017/a.b'],
    ['REDIS_URL', 'redis:6379'],
    ['REDIS_URL', 'http://redis:6379'],
    ['REDIS_URL', 'redis://'],
    ['REDIS_URL', 'redis://redis/rooms'],
    ['REDIS_PREFIX', 'a b'],
    ['REDIS_PREFIX', '{tag}'],
    ['REDIS_PREFIX', 'x'.repeat(65)],
    ['JWT_SECRET', 's'.repeat(31)],
    ['JWT_JWKS_URL', 'login.example.com/keys'],
    ['JWT_JWKS_URL', 'http://login.example.com/keys'],
    ['JWT_JWKS_URL', 'http://127.0.0.1.example.com/keys'],
    ['JWT_JWKS_URL', 'file:///etc/passwd'],
    ['JWT_JWKS_URL', 'https://me:secret@login.example.com/keys'],
    ['JWT_PUBLIC_KEY', '/no/such/file'],
    ['JWT_PUBLIC_KEY', tmpdir()],
    ['JWT_PUBLIC_KEY', '-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----'],
  ])('refuses %s=%s', (name, value) => {
    expect(named({ [name]: value })).toEqual([name]);
  });

  it('takes several servers of NATS, and shows none of their passwords in an error', () => {
    const NATS_URL = 'nats://im:secret@nats-0:4222, nats://[::1]:4223';
    expect(loadConfig({ NATS_URL }).NATS_URL).toEqual(['nats://im:secret@nats-0:4222', 'nats://[::1]:4223']);
    expect(refusal({ NATS_URL: 'nats://im:secret@' }).message).not.toContain('secret');
  });

  it('shows no password of MongoDB in an error', () => {
    const MONGODB_URL = 'mongodb://im:secret@mongo-0,mongo-1:27018/im?replicaSet=rs0';
    expect(loadConfig({ MONGODB_URL }).MONGODB_URL).toBe(MONGODB_URL);
    expect(refusal({ MONGODB_URL: 'mongodb://im:secret@mongo' }).message).not.toContain('secret');
  });

  it('shows no password of Redis in an error', () => {
    const REDIS_URL = 'rediss://im:secret@redis:6380/3';
    expect(loadConfig({ REDIS_URL }).REDIS_URL).toBe(REDIS_URL);
    expect(refusal({ REDIS_URL: `${REDIS_URL}x` }).message).not.toContain('secret');
  });

  it('writes origins as browsers do', () => {
    const ALLOWED_ORIGINS =
      ' HTTPS://App.Example.com/ , https://*.example.org:443,http://b.example:8080,capacitor://localhost,http://[::1]:80';
    expect(loadConfig({ ALLOWED_ORIGINS }).ALLOWED_ORIGINS).toEqual([
      'https://app.example.com',
      'https://*.example.org',
      'http://b.example:8080',
      'capacitor://localhost',
      'http://[::1]',
    ]);
  });

  it('reads cipher keys', () => {
    const { CIPHER_KEYS } = loadConfig({ CIPHER_KEYS: `k1:${KEY}, k2:${KEY}` });
    expect(CIPHER_KEYS).toEqual([
      { id: 'k1', key: new Uint8Array(32).fill(7) },
      { id: 'k2', key: new Uint8Array(32).fill(7) },
    ]);
  });
});

describe('open mode', () => {
  it.each(['127.0.0.1', '127.9.8.7', 'localhost', '::1', '[::1]', '::ffff:127.0.0.1'])(
    'is free on %s',
    (HOST) => {
      expect(loadConfig({ HOST }).HOST).toBe(HOST);
    },
  );

  it.each([
    '0.0.0.0',
    '::',
    '10.0.0.1',
    'chat.example.com',
    'localhost.example.com',
    '127.0.0.1.example.com',
  ])('needs its second switch on %s', (HOST) => {
    expect(named({ HOST })).toEqual(['AUTH_OPEN_ANYWHERE']);
    expect(loadConfig({ HOST, AUTH_OPEN_ANYWHERE: 'true' }).AUTH_MODE).toBe('open');
    expect(loadConfig({ HOST, AUTH_MODE: 'jwt', JWT_SECRET: SECRET }).AUTH_MODE).toBe('jwt');
  });

  it('does not start with keys that it would not use', () => {
    expect(named({ JWT_SECRET: SECRET })).toEqual(['AUTH_MODE']);
  });
});

describe('jwt mode', () => {
  it('needs exactly one source of keys', () => {
    const JWT_JWKS_URL = 'https://login.example.com/keys';
    expect(named({ AUTH_MODE: 'jwt' })).toEqual(['AUTH_MODE']);
    expect(named({ AUTH_MODE: 'jwt', JWT_SECRET: SECRET, JWT_JWKS_URL })).toEqual(['AUTH_MODE']);
    expect(loadConfig({ AUTH_MODE: 'jwt', JWT_JWKS_URL }).JWT_JWKS_URL).toBe(JWT_JWKS_URL);
    expect(loadConfig({ AUTH_MODE: 'jwt', JWT_JWKS_URL: 'http://localhost:9/keys' }).JWT_JWKS_URL).not.toBe(
      '',
    );
  });

  it('counts the bytes of the secret', () => {
    expect(loadConfig({ AUTH_MODE: 'jwt', JWT_SECRET: 'ü'.repeat(16) }).JWT_SECRET).toBe('ü'.repeat(16));
  });

  it('takes a public key as PEM, as PEM in one line, and as a path', () => {
    const key = pem(generateKeyPairSync('ed25519').publicKey);
    const folder = mkdtempSync(join(tmpdir(), 'starling-config-'));
    try {
      const path = join(folder, 'key.pem');
      writeFileSync(path, key);
      for (const JWT_PUBLIC_KEY of [key, key.replaceAll('\n', '\\n'), path]) {
        expect(loadConfig({ AUTH_MODE: 'jwt', JWT_PUBLIC_KEY }).JWT_PUBLIC_KEY.trim()).toBe(key.trim());
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each([
    ['RSA of 2048 bits', () => generateKeyPairSync('rsa', { modulusLength: 2048 }), true],
    ['P-256', () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }), true],
    ['RSA of 1024 bits', () => generateKeyPairSync('rsa', { modulusLength: 1024 }), false],
    ['secp256k1', () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' }), false],
    ['X25519', () => generateKeyPairSync('x25519'), false],
  ])('a public key of %s: accepted is %s', (_, generate, accepted) => {
    const environment = { AUTH_MODE: 'jwt', JWT_PUBLIC_KEY: pem(generate().publicKey) };
    if (accepted) expect(() => loadConfig(environment)).not.toThrow();
    else expect(named(environment)).toEqual(['JWT_PUBLIC_KEY']);
  });

  it('refuses a private key without showing it', () => {
    const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const error = refusal({ AUTH_MODE: 'jwt', JWT_PUBLIC_KEY: key });
    expect(error.problems).toEqual([
      { variable: 'JWT_PUBLIC_KEY', problem: 'must be the public key, and is a private one' },
    ]);
  });
});

it('no message repeats a value', () => {
  const value = 'hunter2-hunter2';
  const examples = Object.values(VARIABLES).map(({ example }) => example);
  const everywhere = Object.fromEntries(Object.keys(VARIABLES).map((name) => [name, value]));
  const error = refusal({ ...everywhere, CIPHER_KEYS: `k1:${value}` });
  expect(error.problems.length).toBeGreaterThan(30);
  expect(examples.join()).not.toContain(value);
  expect(error.message).not.toContain(value);
});

it('the size of one packet fits into the outbound buffer', () => {
  expect(named({ MAX_PACKET_BYTES: '65536', MAX_OUTBOUND_BYTES: '131071' })).toEqual(['MAX_OUTBOUND_BYTES']);
  expect(loadConfig({ MAX_PACKET_BYTES: '65536', MAX_OUTBOUND_BYTES: '131072' }).MAX_OUTBOUND_BYTES).toBe(
    131072,
  );
});
