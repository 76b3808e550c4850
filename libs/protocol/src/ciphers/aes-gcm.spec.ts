import fc from 'fast-check';
import { nodeAead } from '../../fuzz/decoders.js';
import { CipherSet } from '../cipher.js';
import { Refusal } from '../errors.js';
import { AesGcmCipher } from './aes-gcm.js';
import { noCipher } from './none.js';

const key = (fill: number) => new Uint8Array(32).fill(fill);
const cipher = new AesGcmCipher('k1', key(1), nodeAead);

function error(action: () => unknown): string {
  try {
    action();
  } catch (thrown) {
    if (thrown instanceof Refusal) return thrown.error;
    throw thrown;
  }
  return 'nothing';
}

describe('AES-256-GCM', () => {
  it('opens what it sealed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (plain) => {
        expect(new Uint8Array(cipher.open(cipher.seal(plain)))).toEqual(plain);
      }),
    );
  });

  it('takes a fresh nonce for each packet', () => {
    const nonces = new Set<string>();
    for (let i = 0; i < 5000; i++) {
      nonces.add(Buffer.from(cipher.seal(new Uint8Array(1))).toString('hex', 3, 15));
    }
    expect(nonces.size).toBe(5000);
  });

  it('refuses any changed byte', () => {
    const body = cipher.seal(Uint8Array.from([1, 2, 3, 4]));
    for (let at = 0; at < body.length; at++) {
      const changed = Uint8Array.from(body);
      changed[at]! ^= 0x10;
      expect(error(() => cipher.open(changed))).toBe('DECRYPTION_FAILED');
    }
  });

  it('refuses another key, also under the same or a longer id', () => {
    const body = cipher.seal(new Uint8Array(4));
    expect(error(() => new AesGcmCipher('k1', key(2), nodeAead).open(body))).toBe('DECRYPTION_FAILED');
    expect(error(() => new AesGcmCipher('k2', key(1), nodeAead).open(body))).toBe('DECRYPTION_FAILED');
    expect(new AesGcmCipher('k11', key(1), nodeAead).recognises(body)).toBe(false);
    expect(cipher.recognises(new AesGcmCipher('k11', key(1), nodeAead).seal(new Uint8Array(4)))).toBe(false);
  });

  it('does not take a key or an id of a wrong size', () => {
    expect(() => new AesGcmCipher('k', new Uint8Array(16), nodeAead)).toThrow('32 bytes');
    expect(() => new AesGcmCipher('', key(1), nodeAead)).toThrow('1 to 255');
    expect(() => new AesGcmCipher('\u94a5'.repeat(86), key(1), nodeAead)).toThrow('1 to 255');
  });
});

describe('a set of ciphers', () => {
  const second = new AesGcmCipher('k2', key(2), nodeAead);
  const set = new CipherSet([noCipher, cipher, second]);

  it('finds the cipher by serializer and key id', () => {
    expect(set.find(1, new Uint8Array(0))).toBe(noCipher);
    expect(set.find(2, cipher.seal(new Uint8Array(1)))).toBe(cipher);
    expect(set.find(2, second.seal(new Uint8Array(1)))).toBe(second);
  });

  it('tells an unknown serializer from an unknown key', () => {
    expect(error(() => set.find(3, new Uint8Array(0)))).toBe('UNKNOWN_SERIALIZER');
    expect(error(() => set.find(2, new Uint8Array(0)))).toBe('DECRYPTION_FAILED');
    expect(error(() => new CipherSet([noCipher]).find(2, cipher.seal(new Uint8Array(1))))).toBe(
      'UNKNOWN_SERIALIZER',
    );
  });

  it('holds a key id once', () => {
    expect(() => new CipherSet([cipher, new AesGcmCipher('k1', key(3), nodeAead)])).toThrow('k1');
  });
});
