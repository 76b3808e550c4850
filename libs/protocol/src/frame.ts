import { Refusal } from './errors.js';

/** The byte frame of the wire: an 11-byte big-endian header, then the body. SPEC.md, "Byte frame". */
export interface ByteFrame {
  /** Signed. */
  readonly version: number;
  /** What the body is: see `CipherSet`. Unsigned. */
  readonly serializer: number;
  /** Signed. For routing and logs only: the command that counts stands in the packet. */
  readonly command: number;
  /** A view of the message's bytes, not a copy. */
  readonly body: Uint8Array;
}

export const FRAME_HEADER_BYTES = 11;
const MAGIC = [0x12, 0x34, 0x56, 0x78];
const FRAME_VERSION = 1;

/**
 * A frame of one packet, in a buffer of its own. Commands beyond a signed byte (answers to unknown ones) leave the
 * header's command 0.
 */
export function encodeFrame(command: number, serializer: number, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + body.length);
  bytes.set(MAGIC);
  bytes[4] = FRAME_VERSION;
  bytes[5] = serializer;
  bytes[6] = command >= -128 && command <= 127 ? command : 0;
  bytes[7] = body.length >>> 24;
  bytes[8] = body.length >>> 16;
  bytes[9] = body.length >>> 8;
  bytes[10] = body.length;
  bytes.set(body, FRAME_HEADER_BYTES);
  return bytes;
}

/**
 * The one frame that a WebSocket message holds. Refuses with BAD_FRAME what is not exactly one whole frame:
 * a wrong magic, a cut header, and a length other than that of the bytes that follow.
 */
export function decodeFrame(bytes: Uint8Array): ByteFrame {
  if (bytes.length < FRAME_HEADER_BYTES)
    throw new Refusal('BAD_FRAME', 'the frame is shorter than its header');
  for (let i = 0; i < MAGIC.length; i++) {
    if (bytes[i] !== MAGIC[i]) throw new Refusal('BAD_FRAME', 'the frame does not begin with the magic');
  }
  const header = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER_BYTES);
  if (header.getUint32(7) !== bytes.length - FRAME_HEADER_BYTES) {
    throw new Refusal('BAD_FRAME', 'the length in the header is not that of the body');
  }
  return {
    version: header.getInt8(4),
    serializer: header.getUint8(5),
    command: header.getInt8(6),
    body: bytes.subarray(FRAME_HEADER_BYTES),
  };
}

/** The frame webim.js sends on open, before anything else: body `{}`, version and command 0. It is to be ignored. */
export function isOpeningFrame(frame: ByteFrame): boolean {
  const { version, command, body } = frame;
  return version === 0 && command === 0 && body.length === 2 && body[0] === 0x7b && body[1] === 0x7d;
}
