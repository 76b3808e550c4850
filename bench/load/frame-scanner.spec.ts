import { FIRST_NUMBER, numberOfDelivery } from './client-frames.js';
import { FrameScanner } from './frame-scanner.js';

/** As a server writes it. */
function serverFrame(opcode: number, text: string): Buffer {
  const payload = Buffer.from(text);
  const size = payload.length;
  const head =
    size < 126
      ? [0x80 | opcode, size]
      : size < 0x10000
        ? [0x80 | opcode, 126, size >> 8, size & 0xff]
        : [0x80 | opcode, 127, 0, 0, 0, 0, 0, size >> 16, (size >> 8) & 0xff, size & 0xff];
  return Buffer.concat([Buffer.from(head), payload]);
}

function delivery(number: number, more: string): Buffer {
  return serverFrame(
    1,
    `42["packet",{"version":1,"command":4,"isItMe":false,"hasBeenSentId":${number},"content":"${more}"}]`,
  );
}

const STREAM = Buffer.concat([
  delivery(FIRST_NUMBER, 'short'),
  serverFrame(1, '2'),
  delivery(FIRST_NUMBER + 1, 'x'.repeat(300)),
  serverFrame(1, `43${FIRST_NUMBER}[{"success":true}]`),
  serverFrame(1, '42["other"]'),
  delivery(FIRST_NUMBER + 2, 'y'.repeat(70_000)),
  serverFrame(8, '\x03\xe8'),
  delivery(FIRST_NUMBER + 3, ''),
]);

const FOUND = [
  FIRST_NUMBER,
  '1 2',
  FIRST_NUMBER + 1,
  `1 43${FIRST_NUMBER}[{"success":true}]`,
  null,
  FIRST_NUMBER + 2,
  '8 \x03\xc3\xa8',
  FIRST_NUMBER + 3,
];

/** What is found when the stream arrives in such pieces, each in the same memory as the last. */
function found(cuts: readonly number[]): (number | string | null)[] {
  const results: (number | string | null)[] = [];
  const scanner = new FrameScanner({
    event: (bytes, at) => results.push(numberOfDelivery(bytes, at)),
    other: (opcode, payload) => results.push(`${opcode} ${payload.toString('latin1')}`),
  });
  const memory = Buffer.alloc(STREAM.length);
  [...cuts, STREAM.length].forEach((to, i) => {
    const from = i === 0 ? 0 : cuts[i - 1]!;
    STREAM.copy(memory, 0, from, to);
    scanner.push(memory, to - from);
    memory.fill(0xff);
  });
  return results;
}

describe('FrameScanner', () => {
  it('finds every message of a stream in one piece', () => {
    expect(found([])).toEqual(FOUND);
  });

  it('finds the same wherever the stream is cut', () => {
    const last = STREAM.length - 1;
    const cuts = Array.from({ length: 900 }, (_, i) => i + 1).concat(
      Array.from({ length: 200 }, (_, i) => last - i),
    );
    for (const cut of cuts) expect({ cut, found: found([cut]) }).toEqual({ cut, found: FOUND });
  });

  it('finds the same byte by byte', () => {
    expect(found(Array.from({ length: STREAM.length - 1 }, (_, i) => i + 1))).toEqual(FOUND);
  });
});
