import fc from 'fast-check';
import { clientAddressOf } from './client-address.js';

const PROXIES = ['10.0.0.0/8', '127.0.0.1/32', 'fd00::/8'];
const behindProxies = clientAddressOf(PROXIES);
const address = (remote: string | undefined, forwarded?: string | string[]) =>
  behindProxies(remote, forwarded).address;

describe('without trusted proxies', () => {
  it('the header counts for nothing', () => {
    const direct = clientAddressOf([]);
    for (const remote of ['127.0.0.1', '10.0.0.1', '203.0.113.9', '::1']) {
      expect(direct(remote, '1.1.1.1').address).toBe(remote);
    }
  });
});

describe('behind trusted proxies', () => {
  it('the client is the last address that no trusted proxy has', () => {
    expect(address('10.0.0.1', '203.0.113.9')).toBe('203.0.113.9');
    expect(address('10.0.0.1', '203.0.113.9, 10.2.2.2, 10.3.3.3')).toBe('203.0.113.9');
    expect(address('fd00::1', '2001:db8::5,fd00::2')).toBe('2001:db8::5');
    expect(address('::ffff:10.0.0.1', '203.0.113.9')).toBe('203.0.113.9');
  });

  it('what a client wrote into the header itself counts for nothing', () => {
    expect(address('10.0.0.1', '1.1.1.1, 203.0.113.9')).toBe('203.0.113.9');
    expect(address('10.0.0.1', '10.9.9.9, 203.0.113.9')).toBe('203.0.113.9');
    expect(address('203.0.113.9', '1.1.1.1')).toBe('203.0.113.9');
    expect(address('10.0.0.1', ['1.1.1.1', '203.0.113.9'])).toBe('203.0.113.9');
  });

  it('a client inside the trusted networks is the leftmost of them', () => {
    expect(address('10.0.0.1', '10.7.7.7, 10.2.2.2')).toBe('10.7.7.7');
  });

  it.each([
    '',
    ',',
    ' , ',
    'unknown',
    '_hidden',
    'localhost',
    '203.0.113',
    '203.0.113.256',
    '0x7f.0.0.1',
    '017700000001',
    '1',
    '203.0.113.9:port',
    '[2001:db8::1',
    '203.0.113.9\n{"level":"info"}',
    '<script>',
    '%00',
    '__proto__',
    'x'.repeat(16_000),
  ])('stops at what is no address, and takes nothing left of it: %j', (entry) => {
    expect(address('10.0.0.1', entry)).toBe('10.0.0.1');
    expect(address('10.0.0.1', `1.1.1.1, ${entry}`)).toBe('10.0.0.1');
    expect(address('10.0.0.1', `1.1.1.1, ${entry}, 10.2.2.2`)).toBe('10.2.2.2');
  });

  it('reads the forms that proxies write', () => {
    expect(address('10.0.0.1', '203.0.113.9:4711')).toBe('203.0.113.9');
    expect(address('10.0.0.1', '[2001:DB8::0:1]:4711')).toBe('2001:db8::1');
    expect(address('10.0.0.1', '[2001:db8::1]')).toBe('2001:db8::1');
    expect(address('10.0.0.1', '::ffff:203.0.113.9')).toBe('203.0.113.9');
    expect(address('10.0.0.1', '::ffff:10.1.1.1, 203.0.113.9, ::ffff:10.2.2.2')).toBe('203.0.113.9');
    expect(address('10.0.0.1', 'fe80::1%eth0')).toBe('fe80::1');
  });
});

it('one client has one spelling', () => {
  expect(address('::ffff:203.0.113.9')).toBe(address('203.0.113.9'));
  expect(address('2001:0db8:0000::0001')).toBe(address('2001:db8::1'));
  expect(address('fe80::1%eth0')).toBe(address('fe80::1%eth1'));
});

it('limits count IPv4 addresses, and /64 networks of IPv6', () => {
  const network = (remote: string) => behindProxies(remote, undefined).network;
  expect(network('::ffff:203.0.113.9')).toBe('203.0.113.9');
  expect(network('2001:db8:1:2:3:4:5:6')).toBe(network('2001:db8:1:2::ffff'));
  expect(network('2001:db8:1:2::1')).not.toBe(network('2001:db8:1:3::1'));
});

it('a socket that is already gone has no address', () => {
  expect(behindProxies(undefined, '1.1.1.1')).toEqual({ address: 'unknown', network: 'unknown' });
});

it('never throws, and never answers anything but an address', () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.ipV4(),
    fc.ipV6(),
    fc.stringMatching(/^[\d.:a-f,% [\]]*$/),
  );
  fc.assert(
    fc.property(text, fc.array(text), (remote, forwarded) => {
      const found = address(remote, forwarded.join(','));
      expect(found).toMatch(/^unknown$|^[\da-f.:]+$/);
    }),
    { numRuns: 2000 },
  );
});
