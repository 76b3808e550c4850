import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import type { Aead } from '@starling/protocol';

const ALGORITHM = 'aes-256-gcm';
const TAG_BYTES = 16;

/** One for each key: from bare bytes OpenSSL's key is made anew for each packet, at the price of the sealing itself. */
const keyObjects = new WeakMap<Uint8Array, KeyObject>();

function keyObjectOf(key: Uint8Array): KeyObject {
  let made = keyObjects.get(key);
  if (made === undefined) keyObjects.set(key, (made = createSecretKey(key)));
  return made;
}

/** AES-256-GCM by OpenSSL, which is several times faster than the portable one. */
export const nodeAead: Aead = {
  seal(key, nonce, plain, authenticated) {
    const cipher = createCipheriv(ALGORITHM, keyObjectOf(key), nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(authenticated);
    const sealed = cipher.update(plain);
    cipher.final();
    return Buffer.concat([sealed, cipher.getAuthTag()]);
  },
  open(key, nonce, sealed, authenticated) {
    const decipher = createDecipheriv(ALGORITHM, keyObjectOf(key), nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(authenticated);
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    const plain = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
    decipher.final();
    return plain;
  },
};
