import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';

/**
 * AES-256-GCM bodies (serializer 2), written from the protocol's specification with Node's own cryptography: key id's
 * length (1 byte), key id, nonce (12 bytes), ciphertext, tag (16 bytes); authenticated besides: serializer byte,
 * length, key id. The plain text is UTF-8.
 */
export const SERIALIZER_ENCRYPTED = 2;

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export interface BodyCipher {
  readonly keyId: string;
  /** 32 bytes. */
  readonly key: Buffer;
}

/** Made once for each key: making one for each packet costs more than the cipher. */
const keyObjects = new WeakMap<Buffer, KeyObject>();

function keyObjectOf(key: Buffer): KeyObject {
  let made = keyObjects.get(key);
  if (!made) keyObjects.set(key, (made = createSecretKey(key)));
  return made;
}

export function sealBody({ keyId, key }: BodyCipher, text: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const prefix = prefixOf(keyId);
  const cipher = createCipheriv('aes-256-gcm', keyObjectOf(key), nonce);
  cipher.setAAD(Buffer.concat([Buffer.of(SERIALIZER_ENCRYPTED), prefix]));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([prefix, nonce, sealed, cipher.getAuthTag()]);
}

/** Throws when the body was sealed with another key or changed on its way. */
export function openBody({ keyId, key }: BodyCipher, body: Buffer): string {
  const prefix = prefixOf(keyId);
  if (!body.subarray(0, prefix.length).equals(prefix)) throw new Error('a body sealed with another key');
  const begin = prefix.length + NONCE_BYTES;
  const end = body.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', keyObjectOf(key), body.subarray(prefix.length, begin));
  decipher.setAAD(Buffer.concat([Buffer.of(SERIALIZER_ENCRYPTED), prefix]));
  decipher.setAuthTag(body.subarray(end));
  const plain = Buffer.concat([decipher.update(body.subarray(begin, end)), decipher.final()]);
  return new TextDecoder('utf-8', { fatal: true }).decode(plain);
}

function prefixOf(keyId: string): Buffer {
  const id = Buffer.from(keyId, 'utf8');
  return Buffer.concat([Buffer.of(id.length), id]);
}
