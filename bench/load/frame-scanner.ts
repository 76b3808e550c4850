import { NUMBERED_BYTES } from './client-frames.js';

/** What a server's bytes turn out to be. */
export interface FrameSink {
  /** A Socket.IO event without acknowledgement: its payload begins at `at`, and at least NUMBERED_BYTES of it are there. */
  event(bytes: Buffer, at: number): void;
  /** Any other WebSocket message, whole. The bytes are only good until this returns. */
  other(opcode: number, payload: Buffer): void;
}

const FIN_AND_TEXT = 0x81;
const FOUR = 0x34;
const TWO = 0x32;

/**
 * Finds the WebSocket messages (unmasked, unfragmented, uncompressed) in what one socket receives. Of events only
 * the beginning is looked at and the rest skipped, so that counting one costs next to nothing.
 */
export class FrameScanner {
  /** Of the message that was looked at last. */
  private toSkip = 0;
  /** The beginning of a message whose rest has not arrived. */
  private held: Buffer | null = null;

  constructor(private readonly sink: FrameSink) {}

  /** `bytes` may be overwritten afterwards. */
  push(bytes: Buffer, length: number): void {
    if (this.held !== null) {
      const joined = Buffer.concat([this.held, bytes.subarray(0, length)]);
      this.held = null;
      this.scan(joined, joined.length);
    } else {
      this.scan(bytes, length);
    }
  }

  private scan(bytes: Buffer, length: number): void {
    let at = this.toSkip;
    for (;;) {
      if (at >= length) {
        this.toSkip = at - length;
        return;
      }
      const left = length - at;
      const size = left < 2 ? -1 : sizeAt(bytes, at, left);
      const head = headOf(bytes[at + 1]!);
      if (size < 0 || left < head + Math.min(size, NUMBERED_BYTES)) break;
      const payload = at + head;
      if (bytes[at] === FIN_AND_TEXT && bytes[payload] === FOUR && bytes[payload + 1] === TWO && size > 1) {
        this.sink.event(bytes, payload);
      } else {
        if (left < head + size) break;
        this.sink.other(bytes[at]! & 0x0f, bytes.subarray(payload, payload + size));
      }
      at = payload + size;
    }
    this.toSkip = 0;
    this.held = Buffer.from(bytes.subarray(at, length));
  }
}

function headOf(second: number): number {
  const short = second & 0x7f;
  return short < 126 ? 2 : short === 126 ? 4 : 10;
}

/** Of the payload; -1 while the head is not all there. */
function sizeAt(bytes: Buffer, at: number, left: number): number {
  const short = bytes[at + 1]! & 0x7f;
  if (short < 126) return short;
  if (short === 126) return left < 4 ? -1 : bytes.readUInt16BE(at + 2);
  return left < 10 ? -1 : Number(bytes.readBigUInt64BE(at + 2));
}
