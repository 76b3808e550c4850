import { Refusal } from './errors.js';
import { guardPacket } from './json-guard.js';
import { parsePacketText } from './packet-text.js';

const limits = { maxDepth: 32, maxKeys: 1000 };

function refused(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof Refusal) return error.error;
    throw error;
  }
  return 'accepted';
}

const text = (field: string) => `{"version":1,"command":17,"a":${field}}`;

describe('hostile JSON', () => {
  it.each([
    ['nesting of 100,000 lists', text('['.repeat(100_000) + ']'.repeat(100_000)), 'TOO_DEEP'],
    ['nesting of 100,000 objects', text('{"a":'.repeat(100_000) + '1' + '}'.repeat(100_000)), 'TOO_DEEP'],
    ['nesting of 100,000 that never ends', text('['.repeat(100_000)), 'BAD_JSON'],
    [
      'a million keys',
      text(`{${Array.from({ length: 1_000_000 }, (_, i) => `"${i}k":0`).join()}}`),
      'TOO_DEEP',
    ],
    ['a million items', text(`[${'0,'.repeat(999_999)}0]`), 'TOO_DEEP'],
    ['1 MB of one whole number', text('1'.repeat(1 << 20)), 'INVALID_FIELD'],
    ['1 MB of one fraction', text('0.' + '3'.repeat(1 << 20)), 'accepted'],
    ['1 MB of zeros in a number', text('0.' + '0'.repeat(1 << 20) + '1'), 'accepted'],
    ['1 MB of white space', text(' '.repeat(1 << 20) + '1'), 'accepted'],
  ])('%s', (_name, hostile, outcome) => {
    expect(refused(() => parsePacketText(hostile, limits))).toBe(outcome);
  });

  it('is refused at the limits, not before', () => {
    const nested = (depth: number) => text('['.repeat(depth) + ']'.repeat(depth));
    expect(refused(() => parsePacketText(nested(31), limits))).toBe('accepted');
    expect(refused(() => parsePacketText(nested(32), limits))).toBe('TOO_DEEP');
    const wide = (items: number) => text(JSON.stringify(Array.from({ length: items }, () => null)));
    expect(refused(() => parsePacketText(wide(997), limits))).toBe('accepted');
    expect(refused(() => parsePacketText(wide(998), limits))).toBe('TOO_DEEP');
  });
});

describe('numbers', () => {
  it.each([
    '12345678901234567890',
    '-12345678901234567890',
    '9007199254740993',
    '0.12345678901234567890123',
    '1234567890.1234567890',
    '1e-999',
    '1.00000000000000000000001E5',
  ])('%s leaves as it came', (number) => {
    expect(JSON.stringify(parsePacketText(text(`[${number}]`), limits))).toBe(text(`[${number}]`));
  });

  it.each([
    ['1e5', 100000],
    ['1.50', 1.5],
    ['0.10000000000000000000', 0.1],
    ['100000000000000000000', 1e20],
    ['-0', -0],
    ['1.7976931348623157e308', 1.7976931348623157e308],
  ])('%s is the number it looks like', (number, value) => {
    expect(parsePacketText(text(number), limits).a).toBe(value);
  });

  it('leaves digits inside strings alone', () => {
    const url = text('"https://x/?a=[12345678901234567890],1e5"');
    expect(JSON.stringify(parsePacketText(url, limits))).toBe(url);
  });
});

describe('a value that was parsed elsewhere', () => {
  const packet = (a: unknown) => ({ version: 1, command: 17, a });

  it.each<[string, unknown]>([
    ['an attachment', Buffer.from('x')],
    ['bytes', new Uint8Array(3)],
    ['an ArrayBuffer', new ArrayBuffer(3)],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['a function', () => 1],
    ['undefined', undefined],
    ['a bigint', 1n],
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['a whole number that may have been rounded', 2 ** 53],
  ])('is refused when it holds %s', (_name, value) => {
    expect(refused(() => guardPacket(packet(value), limits))).toBe('INVALID_FIELD');
    expect(refused(() => guardPacket(packet([{ b: value }]), limits))).toBe('INVALID_FIELD');
  });

  it('is refused when it is no packet', () => {
    for (const value of [null, undefined, 1, 'x', [], true]) {
      expect(refused(() => guardPacket(value, limits))).toBe('NOT_A_PACKET');
    }
    expect(refused(() => guardPacket(Buffer.from('{}'), limits))).toBe('INVALID_FIELD');
  });

  it('may have no prototype, or keys that shadow it', () => {
    const bare = Object.assign(Object.create(null), { toString: 'foo', hasOwnProperty: 1 });
    expect(refused(() => guardPacket(packet(bare), limits))).toBe('accepted');
  });

  it('does not overflow the stack', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = { deep };
    expect(refused(() => guardPacket(packet(deep), limits))).toBe('TOO_DEEP');
    expect(refused(() => guardPacket(packet(deep), { maxDepth: 200_000, maxKeys: 200_000 }))).toBe(
      'accepted',
    );
  });
});
