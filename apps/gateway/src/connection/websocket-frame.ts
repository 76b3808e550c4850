export const Opcode = { Text: 1, Binary: 2 } as const;

const FIN = 0x80;

/**
 * One whole WebSocket message as it stands on a socket (RFC 6455, unmasked, uncompressed), so that the same
 * bytes can be written to every connection.
 */
export function webSocketFrame(opcode: (typeof Opcode)[keyof typeof Opcode], payload: Uint8Array): Buffer {
  const length = payload.length;
  const head = length < 126 ? 2 : length < 0x10000 ? 4 : 10;
  const bytes = Buffer.allocUnsafe(head + length);
  bytes[0] = FIN | opcode;
  if (head === 2) {
    bytes[1] = length;
  } else if (head === 4) {
    bytes[1] = 126;
    bytes.writeUInt16BE(length, 2);
  } else {
    bytes[1] = 127;
    bytes.writeUInt32BE(0, 2);
    bytes.writeUInt32BE(length, 6);
  }
  bytes.set(payload, head);
  return bytes;
}
