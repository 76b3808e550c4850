/** The bytes that clients write: Socket.IO packets as masked WebSocket text messages, ready for a socket. */

const FIN_AND_TEXT = 0x81;
const MASKED = 0x80;
/** Any will do; servers unmask whatever it is, unless it is zero. */
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const { length } = payload;
  if (length > 0xffff) throw new Error(`a client that writes ${length} bytes at once`);
  const head =
    length < 126
      ? Buffer.from([FIN_AND_TEXT, MASKED | length])
      : Buffer.from([FIN_AND_TEXT, MASKED | 126, length >> 8, length & 0xff]);
  for (let i = 0; i < length; i++) payload[i]! ^= MASK[i & 3]!;
  return Buffer.concat([head, MASK, payload]);
}

/** A Socket.IO packet that asks for the acknowledgement `ackId`. */
export function packetText(packet: object, ackId: number): string {
  return `42${ackId}["packet",${JSON.stringify(packet)}]`;
}

/** Message numbers have ten digits, so that every number's frame is as long as every other's. */
export const FIRST_NUMBER = 1_000_000_000;
const DIGITS = 10;

/** About what a short sentence is. */
const CONTENT =
  'The tide is in at half past six; whoever wants to come along should be at the pier by then. Bring a coat.';

/**
 * The frame of a message from one user to one group, built once: only the message's number differs, which is both
 * the id of the acknowledgement and the client's own id of the message.
 */
export class MessageFrame {
  private readonly frame: Buffer;
  /** Where the numbers begin in the frame, and where in the payload, which says how they are masked. */
  private readonly numbers: readonly { at: number; inPayload: number }[];

  constructor(userId: string, groupId: string) {
    const message = {
      version: 1,
      command: 3,
      isItMe: true,
      hasBeenSentId: FIRST_NUMBER,
      contentType: 0,
      content: CONTENT,
      createTime: 1_760_000_000_000,
      fromUserId: userId,
      fromUserName: `name of ${userId}`,
      fromUserHeadImg: 'https://example.test/heads/from.png',
      userId,
      toUserId: groupId,
      toUserName: `name of ${groupId}`,
      toUserHeadImg: 'https://example.test/heads/to.png',
      chatType: 1,
    };
    const text = packetText(message, FIRST_NUMBER);
    this.frame = textFrame(text);
    const head = this.frame.length - Buffer.byteLength(text);
    const first = text.indexOf(String(FIRST_NUMBER));
    const second = text.indexOf(String(FIRST_NUMBER), first + DIGITS);
    this.numbers = [first, second].map((inPayload) => ({ at: head + inPayload, inPayload }));
  }

  /** A new buffer each time: a socket may still hold the last one. */
  numbered(number: number): Buffer {
    const bytes = Buffer.from(this.frame);
    for (const { at, inPayload } of this.numbers) {
      let rest = number;
      for (let digit = DIGITS - 1; digit >= 0; digit--) {
        bytes[at + digit] = (48 + (rest % 10)) ^ MASK[(inPayload + digit) & 3]!;
        rest = Math.floor(rest / 10);
      }
    }
    return bytes;
  }
}

/** How a delivery of such a message begins, up to its number. */
const BEFORE_NUMBER = Buffer.from('42["packet",{"version":1,"command":4,"isItMe":false,"hasBeenSentId":');

/** The bytes of a delivery's payload that have to be there for its number to be read. */
export const NUMBERED_BYTES = BEFORE_NUMBER.length + DIGITS;

/** The message's number of a delivery's payload that begins at `at`; null when it is no such delivery. */
export function numberOfDelivery(bytes: Buffer, at: number): number | null {
  const digits = at + BEFORE_NUMBER.length;
  if (digits + DIGITS > bytes.length) return null;
  if (BEFORE_NUMBER.compare(bytes, at, digits) !== 0) return null;
  return digitsAt(bytes, digits);
}

/** The message's number of an acknowledgement's payload, `43<number>[…]`. */
export function numberOfAck(payload: Buffer): number {
  return digitsAt(payload, 2);
}

function digitsAt(bytes: Buffer, at: number): number {
  let number = 0;
  for (let digit = 0; digit < DIGITS; digit++) number = number * 10 + bytes[at + digit]! - 48;
  return number;
}
