// pending: the cipher's layout in libs/protocol/SPEC.md
export const SERIALIZER_ENCRYPTED = 2;

export interface BodyCipher {
  readonly keyId: string;
  /** 32 bytes. */
  readonly key: Buffer;
}

export function sealBody(_cipher: BodyCipher, _version: number, _command: number, _body: Buffer): Buffer {
  throw new Error('not written yet');
}

export function openBody(_cipher: BodyCipher, _version: number, _command: number, _body: Buffer): Buffer {
  throw new Error('not written yet');
}
