import { gcm } from '@noble/ciphers/aes.js';
import type { Aead } from './aead.js';

/** In plain JavaScript: works wherever the protocol does. */
export const nobleAead: Aead = {
  seal: (key, nonce, plain, authenticated) => gcm(key, nonce, authenticated).encrypt(plain),
  open: (key, nonce, sealed, authenticated) => gcm(key, nonce, authenticated).decrypt(sealed),
};
