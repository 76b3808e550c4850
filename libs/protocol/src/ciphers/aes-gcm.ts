import type { Cipher } from '../cipher.js';
import { Refusal } from '../errors.js';
import type { Aead } from './aead.js';

const SERIALIZER = 2;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MAX_KEY_ID_BYTES = 255;

/**
 * Serializer 2: AES-256-GCM. Body: length of the key id (1 byte), key id (UTF-8), nonce (12 bytes), ciphertext, tag
 * (16 bytes). The serializer byte and the key id are authenticated with the ciphertext. The nonce is random and
 * fresh for each packet, so a key is good for 2^32 packets.
 */
export class AesGcmCipher implements Cipher {
  readonly serializer = SERIALIZER;
  readonly text = 'utf-8';
  /** Serializer byte, length of the key id, key id: authenticated; without the first byte, how each body begins. */
  private readonly authenticated: Uint8Array;

  /**
   * @param key 32 bytes.
   * @param nonce gives a nonce for each packet; only test vectors bring their own.
   */
  constructor(
    readonly keyId: string,
    private readonly key: Uint8Array,
    private readonly aead: Aead,
    private readonly nonce: () => Uint8Array = randomNonce,
  ) {
    const id = new TextEncoder().encode(keyId);
    if (key.length !== KEY_BYTES) throw new Error(`the key "${keyId}" must have ${KEY_BYTES} bytes`);
    if (id.length === 0 || id.length > MAX_KEY_ID_BYTES) throw new Error('a key id has 1 to 255 bytes');
    this.authenticated = Uint8Array.of(SERIALIZER, id.length, ...id);
  }

  recognises(body: Uint8Array): boolean {
    for (let i = 1; i < this.authenticated.length; i++) {
      if (body[i - 1] !== this.authenticated[i]) return false;
    }
    return true;
  }

  seal(plain: Uint8Array): Uint8Array {
    const nonce = this.nonce();
    const sealed = this.aead.seal(this.key, nonce, plain, this.authenticated);
    const prefix = this.authenticated.length - 1;
    const body = new Uint8Array(prefix + NONCE_BYTES + sealed.length);
    body.set(this.authenticated.subarray(1));
    body.set(nonce, prefix);
    body.set(sealed, prefix + NONCE_BYTES);
    return body;
  }

  open(body: Uint8Array): Uint8Array {
    const prefix = this.authenticated.length - 1;
    if (!this.recognises(body) || body.length < prefix + NONCE_BYTES + TAG_BYTES) {
      throw new Refusal('DECRYPTION_FAILED');
    }
    const nonce = body.subarray(prefix, prefix + NONCE_BYTES);
    try {
      return this.aead.open(this.key, nonce, body.subarray(prefix + NONCE_BYTES), this.authenticated);
    } catch {
      throw new Refusal('DECRYPTION_FAILED');
    }
  }
}

const NONCES_AT_ONCE = 256;
const pool = new Uint8Array(NONCE_BYTES * NONCES_AT_ONCE);
let used = pool.length;

/** Drawn from the platform's generator in bulk: one call for each packet would cost more than the sealing. */
function randomNonce(): Uint8Array {
  if (used === pool.length) {
    globalThis.crypto.getRandomValues(pool);
    used = 0;
  }
  used += NONCE_BYTES;
  return pool.slice(used - NONCE_BYTES, used);
}
