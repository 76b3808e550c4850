import { loadConfig } from '@starling/config';
import { originPolicy } from './origin-policy.js';

const policy = (ALLOWED_ORIGINS: string) => originPolicy(loadConfig({ ALLOWED_ORIGINS }).ALLOWED_ORIGINS);

it('lets clients through that are no browsers: they send no origin', () => {
  expect(policy('https://app.example.com')(undefined)).toBe(true);
});

describe('a listed origin', () => {
  const allows = policy(
    'https://App.example.com:443,http://b.example:8080,capacitor://localhost,http://[::1]:3000',
  );

  it.each(['https://app.example.com', 'http://b.example:8080', 'capacitor://localhost', 'http://[::1]:3000'])(
    'passes: %s',
    (origin) => {
      expect(allows(origin)).toBe(true);
    },
  );

  it.each([
    'http://app.example.com',
    'https://app.example.com:8443',
    'https://app.example.com.evil.net',
    'https://evil.net/https://app.example.com',
    'https://evil.net#https://app.example.com',
    'https://app.example.com@evil.net',
    'https://app.example.com/',
    'https://app.example.com, https://evil.net',
    'https://evil.net, https://app.example.com',
    'https://app.example.com\u0000',
    'https://app.example.com\n',
    ' https://app.example.com',
    'https://xapp.example.com',
    'https://example.com',
    'https://b.example:8080',
    'null',
    'file://',
    '',
    '*',
    'loopback',
    '__proto__',
    'http://localhost:3000',
    'http://127.0.0.1',
    `https://${'a'.repeat(100_000)}`,
  ])('alone passes, not %j', (origin) => {
    expect(allows(origin)).toBe(false);
  });
});

describe('a listed domain', () => {
  const allows = policy('https://*.example.org');

  it.each(['https://a.example.org', 'https://a.b.example.org'])('lets its subdomains pass: %s', (origin) => {
    expect(allows(origin)).toBe(true);
  });

  it.each([
    'https://example.org',
    'https://.example.org',
    'https://evilexample.org',
    'https://a.example.org.evil.net',
    'https://evil.net/.example.org',
    'https://evil.net?.example.org',
    'https://evil.net:80@a.example.org',
    'https://evil.net\\.example.org',
    'https://evil.net:.example.org',
    'http://a.example.org',
    'https://a.example.org:444',
    'https://*.example.org',
  ])('lets nothing else pass: %s', (origin) => {
    expect(allows(origin)).toBe(false);
  });
});

describe('loopback', () => {
  const allows = policy('loopback');

  it.each([
    'http://localhost:5173',
    'https://localhost',
    'http://127.0.0.1:3000',
    'http://127.8.0.1',
    'http://[::1]:80',
  ])('lets pages of this machine pass: %s', (origin) => {
    expect(allows(origin)).toBe(true);
  });

  it.each([
    'http://localhost.evil.net',
    'http://evil.net:localhost',
    'http://127.0.0.1.evil.net',
    'http://127.evil.0.1',
    'http://128.0.0.1',
    'http://[::2]',
    'ftp://localhost',
    'null',
    'https://app.example.com',
  ])('and no other: %s', (origin) => {
    expect(allows(origin)).toBe(false);
  });
});

it('* lets every origin pass, even null', () => {
  const allows = policy('https://a.example,*');
  for (const origin of ['https://evil.net', 'null', 'garbage']) expect(allows(origin)).toBe(true);
});
