import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Aead } from '@starling/protocol';

const ALGORITHM = 'aes-256-gcm';
const TAG_BYTES = 16;

/** AES-256-GCM by OpenSSL, which is several times faster than the portable one. */
export const nodeAead: Aead = {
  seal(key, nonce, plain, authenticated) {
    const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(authenticated);
    const sealed = cipher.update(plain);
    cipher.final();
    return Buffer.concat([sealed, cipher.getAuthTag()]);
  },
  open(key, nonce, sealed, authenticated) {
    const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(authenticated);
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    const plain = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
    decipher.final();
    return plain;
  },
};
