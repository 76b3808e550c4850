import { Refusal } from './errors.js';

/**
 * One way of turning a packet's text into a body and back, replaceable on both sides. Synchronous, because it
 * stands between a socket and the order of its packets.
 */
export interface Cipher {
  /** The serializer byte of its frames: 1 plain, 2 AES-256-GCM; 128 to 255 are free for ciphers of your own. */
  readonly serializer: number;
  /** Names the key inside the body; two ciphers of one serializer differ in it. */
  readonly keyId: string;
  /** How the text becomes bytes before sealing. Reading accepts both. */
  readonly text: 'cesu-8' | 'utf-8';
  /** Whether `body`, as far as its beginning tells, was sealed with this cipher's key. Never throws. */
  recognises(body: Uint8Array): boolean;
  seal(plain: Uint8Array): Uint8Array;
  /** Throws `Refusal` DECRYPTION_FAILED. */
  open(body: Uint8Array): Uint8Array;
}

/** The ciphers one side knows. */
export class CipherSet {
  private readonly bySerializer = new Map<number, Cipher[]>();

  /** Throws when two ciphers have the same serializer and key id. */
  constructor(ciphers: readonly Cipher[]) {
    for (const cipher of ciphers) {
      const others = this.bySerializer.get(cipher.serializer) ?? [];
      if (others.some((other) => other.keyId === cipher.keyId)) {
        throw new Error(`two ciphers of serializer ${cipher.serializer} have the key id "${cipher.keyId}"`);
      }
      this.bySerializer.set(cipher.serializer, [...others, cipher]);
    }
  }

  /** Refusals: UNKNOWN_SERIALIZER, and DECRYPTION_FAILED when none of its ciphers has the body's key. */
  find(serializer: number, body: Uint8Array): Cipher {
    const candidates = this.bySerializer.get(serializer);
    if (!candidates) throw new Refusal('UNKNOWN_SERIALIZER');
    const cipher = candidates.find((candidate) => candidate.recognises(body));
    if (!cipher) throw new Refusal('DECRYPTION_FAILED', 'the key of the body is not known here');
    return cipher;
  }
}
