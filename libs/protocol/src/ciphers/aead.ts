/** AES-256-GCM itself, so that a platform can bring a faster one. Sealed bytes are ciphertext, then the 16-byte tag. */
export interface Aead {
  seal(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array, authenticated: Uint8Array): Uint8Array;
  /** Throws anything when the tag does not fit. */
  open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, authenticated: Uint8Array): Uint8Array;
}
