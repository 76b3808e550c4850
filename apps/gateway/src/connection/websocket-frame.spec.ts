import { WebSocket } from 'ws';
import { Opcode, webSocketFrame } from './websocket-frame.js';

interface Sender {
  frame(data: Buffer, options: object): Buffer[];
}

/** What the library itself would write. */
const { frame } = (WebSocket as unknown as { Sender: Sender }).Sender;

describe('webSocketFrame', () => {
  it.each([0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20])('is what ws writes for %i bytes', (length) => {
    const payload = Buffer.alloc(length, 'starling');
    for (const opcode of Object.values(Opcode)) {
      const expected = Buffer.concat(
        frame(payload, { fin: true, opcode, mask: false, rsv1: false, readOnly: true }),
      );
      expect(webSocketFrame(opcode, payload).equals(expected)).toBe(true);
    }
  });
});
