import type { Cipher } from '../cipher.js';

/** Serializer 1: the body is the packet's JSON text, in CESU-8 as webim.js needs it. */
export const noCipher: Cipher = {
  serializer: 1,
  keyId: '',
  text: 'cesu-8',
  recognises: () => true,
  seal: (plain) => plain,
  open: (body) => body,
};
