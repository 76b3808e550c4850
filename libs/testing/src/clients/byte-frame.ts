import { isAscii } from 'node:buffer';

/**
 * The byte frame, written from the protocol's page and not from libs/protocol, so that the two check each other.
 */
export const MAGIC = 0x12345678;
export const HEADER_BYTES = 11;
export const SERIALIZER_JSON = 1;

export interface RawFrame {
  readonly version: number;
  readonly serializer: number;
  readonly command: number;
  readonly body: Buffer;
}

export function frame(version: number, serializer: number, command: number, body: Buffer): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + body.length);
  bytes.writeUInt32BE(MAGIC, 0);
  bytes.writeInt8(version, 4);
  bytes.writeUInt8(serializer, 5);
  bytes.writeInt8(command, 6);
  bytes.writeUInt32BE(body.length, 7);
  body.copy(bytes, HEADER_BYTES);
  return bytes;
}

/** Throws when `bytes` is anything but exactly one frame. */
export function unframe(bytes: Buffer): RawFrame {
  if (bytes.length < HEADER_BYTES) throw new Error(`a frame of ${bytes.length} bytes`);
  if (bytes.readUInt32BE(0) !== MAGIC) throw new Error(`magic ${bytes.toString('hex', 0, 4)}`);
  const length = bytes.readUInt32BE(7);
  if (length !== bytes.length - HEADER_BYTES) {
    throw new Error(`the header says ${length} bytes of body, there are ${bytes.length - HEADER_BYTES}`);
  }
  return {
    version: bytes.readInt8(4),
    serializer: bytes.readUInt8(5),
    command: bytes.readInt8(6),
    body: bytes.subarray(HEADER_BYTES),
  };
}

/** Each UTF-16 code unit by itself, as webim.js encodes: one to three bytes, never four. */
export function encodeCesu8(text: string): Buffer {
  const bytes = Buffer.alloc(text.length * 3);
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      bytes[at++] = unit;
    } else if (unit < 0x800) {
      bytes[at++] = 0xc0 | (unit >> 6);
      bytes[at++] = 0x80 | (unit & 0x3f);
    } else {
      bytes[at++] = 0xe0 | (unit >> 12);
      bytes[at++] = 0x80 | ((unit >> 6) & 0x3f);
      bytes[at++] = 0x80 | (unit & 0x3f);
    }
  }
  return bytes.subarray(0, at);
}

/** As webim.js decodes; where that client would show rubbish (a 4-byte sequence, a broken one) this throws. */
export function decodeCesu8(bytes: Buffer): string {
  if (isAscii(bytes)) return bytes.toString('latin1');
  const units: string[] = [];
  let i = 0;
  const continuation = () => {
    const byte = bytes[i++];
    if (byte === undefined || (byte & 0xc0) !== 0x80) throw new Error(`a broken sequence before byte ${i}`);
    return byte & 0x3f;
  };
  const push = (unit: number, lowest: number) => {
    if (unit < lowest) throw new Error(`an overlong sequence before byte ${i}`);
    units.push(String.fromCharCode(unit));
  };
  while (i < bytes.length) {
    const byte = bytes[i++]!;
    if (byte < 0x80) push(byte, 0);
    else if (byte >= 0xc0 && byte < 0xe0) push(((byte & 0x1f) << 6) | continuation(), 0x80);
    else if (byte >= 0xe0 && byte < 0xf0) {
      const high = (byte & 0x0f) << 12;
      const middle = continuation() << 6;
      push(high | middle | continuation(), 0x800);
    } else throw new Error(`byte ${byte.toString(16)} begins no CESU-8 sequence`);
  }
  return units.join('');
}
