import { tokenOfSocketIo, tokenOfUpgrade, urlForLog } from './token-source.js';

describe('the token of a Socket.IO handshake', () => {
  it('is auth.token, else the bearer', () => {
    const headers = { authorization: 'Bearer from.the.header' };
    expect(tokenOfSocketIo({ auth: { token: 'from.the.auth' }, headers })).toBe('from.the.auth');
    expect(tokenOfSocketIo({ auth: {}, headers })).toBe('from.the.header');
    expect(tokenOfSocketIo({ auth: {}, headers: {} })).toBeNull();
  });

  it.each([
    null,
    undefined,
    7,
    'x',
    [],
    { token: null },
    { token: 7 },
    { token: '' },
    { token: { toString: 'x' } },
  ])('is none in %j', (auth) => {
    expect(tokenOfSocketIo({ auth, headers: {} })).toBeNull();
  });
});

describe('the token of an upgrade', () => {
  it('is the bearer, else ?token=', () => {
    const url = '/ws?v=1&token=from.the.url';
    expect(tokenOfUpgrade({ url, headers: { authorization: 'bearer from.the.header' } })).toBe(
      'from.the.header',
    );
    expect(tokenOfUpgrade({ url, headers: {} })).toBe('from.the.url');
    expect(tokenOfUpgrade({ url: '/ws?token=a%2Eb', headers: {} })).toBe('a.b');
  });

  it.each([
    undefined,
    '',
    '/ws',
    '/ws?',
    '/ws?token',
    '/ws?token=',
    '/ws?Token=x',
    '/token=x',
    '/ws?%',
    '//?%E0%A4%A',
  ])('is none in %s', (url) => {
    expect(tokenOfUpgrade({ url, headers: {} })).toBeNull();
  });

  it.each(['Basic YTpi', 'Bearer', 'Bearer ', 'Bearer a b', 'xBearer a', `Bearer ${' '.repeat(10_000)}`])(
    'is none in the header %s',
    (authorization) => {
      expect(tokenOfUpgrade({ headers: { authorization } })).toBeNull();
    },
  );
});

describe('a URL for the log', () => {
  it('has no query, so no token under any name', () => {
    expect(urlForLog('/ws?token=secret')).toBe('/ws?…');
    expect(urlForLog('/ws?%74oken=secret&a=b?token=secret')).toBe('/ws?…');
    expect(urlForLog('/socket.io/?EIO=4&token=secret')).toBe('/socket.io/?…');
    expect(urlForLog('/ws')).toBe('/ws');
    expect(urlForLog(undefined)).toBe('');
  });

  it('is short', () => {
    expect(urlForLog(`/${'x'.repeat(10_000)}?token=secret`).length).toBeLessThan(210);
  });
});
