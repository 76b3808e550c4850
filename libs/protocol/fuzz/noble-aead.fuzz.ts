import fc from 'fast-check';
import { nobleAead } from '../src/ciphers/noble-aead.js';
import { nodeAead } from './decoders.js';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const input = [
  bytes(32),
  bytes(12),
  fc.uint8Array({ maxLength: 500 }),
  fc.uint8Array({ maxLength: 40 }),
] as const;

describe('AES-256-GCM in plain JavaScript', () => {
  it('seals as the platform does, and opens what that sealed', () => {
    fc.assert(
      fc.property(...input, (key, nonce, plain, authenticated) => {
        const sealed = nodeAead.seal(key, nonce, plain, authenticated);
        expect(Buffer.compare(nobleAead.seal(key, nonce, plain, authenticated), sealed)).toBe(0);
        expect(Buffer.compare(nobleAead.open(key, nonce, sealed, authenticated), plain)).toBe(0);
      }),
      { numRuns: 10_000 },
    );
  });

  it('refuses what was changed', () => {
    fc.assert(
      fc.property(...input, fc.nat(515), (key, nonce, plain, authenticated, place) => {
        const sealed = Uint8Array.from(nodeAead.seal(key, nonce, plain, authenticated));
        sealed[place % sealed.length]! ^= 1;
        expect(() => nobleAead.open(key, nonce, sealed, authenticated)).toThrow();
      }),
      { numRuns: 10_000 },
    );
  });
});
