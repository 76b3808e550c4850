import { decodeText, encodeCesu8, encodeUtf8 } from './cesu8.js';
import type { Cipher, CipherSet } from './cipher.js';
import { decodeFrame, encodeFrame, isOpeningFrame } from './frame.js';

/** A packet that came as a byte frame: its JSON text, and the cipher that its answer takes. */
export interface FramedPacket {
  readonly text: string;
  readonly cipher: Cipher;
}

/** The byte frame of a packet, given as its JSON text and its command. */
export function encodePacketFrame(packet: string, command: number, cipher: Cipher): Uint8Array<ArrayBuffer> {
  const plain = cipher.text === 'cesu-8' ? encodeCesu8(packet) : encodeUtf8(packet);
  return encodeFrame(command, cipher.serializer, cipher.seal(plain));
}

/**
 * Reads a byte frame as far as the packet's text; null for the opening frame of webim.js, which is ignored.
 * Refusals: BAD_FRAME, UNKNOWN_SERIALIZER, DECRYPTION_FAILED.
 */
export function decodePacketFrame(bytes: Uint8Array, ciphers: CipherSet): FramedPacket | null {
  const frame = decodeFrame(bytes);
  if (isOpeningFrame(frame)) return null;
  const cipher = ciphers.find(frame.serializer, frame.body);
  return { text: decodeText(cipher.open(frame.body)), cipher };
}
