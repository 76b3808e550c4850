import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Starling, until } from '@starling/testing';

/** A TCP connection to a server's first gateway that keeps what it is sent: for what no client would do. */
export class RawSocket {
  received = '';
  ended = false;

  private constructor(readonly socket: Socket) {
    socket.setEncoding('latin1');
    socket.on('data', (text) => (this.received += text.toString()));
    socket.on('close', () => (this.ended = true));
    socket.on('error', () => undefined);
  }

  static async open({ port }: Starling): Promise<RawSocket> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RawSocket(socket);
  }

  write(data: string | Buffer): void {
    if (!this.ended) this.socket.write(data);
  }

  /** Resolves with what was received when there is an answer or the end. */
  answered(): Promise<string> {
    return until('an answer or the end', () =>
      this.ended || this.received.includes('\r\n\r\n') ? this.received : null,
    );
  }

  end(): Promise<true> {
    return until('the server to close the connection', () => (this.ended ? true : null));
  }
}

export const UPGRADE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';
/** Those that are upgraded. */
export const PATHS = ['/ws', '/socket.io/?EIO=4&transport=websocket'];

export function request(path: string, headers = '', method = 'GET'): string {
  return `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\n`;
}

export async function upgraded(starling: Starling, path: string): Promise<RawSocket> {
  const raw = await RawSocket.open(starling);
  raw.write(request(path, UPGRADE));
  expect(await raw.answered()).toMatch(/^HTTP\/1\.1 101/);
  return raw;
}

/** A WebSocket frame of a client, masked with zeros. */
export function wsFrame(firstByte: number, payload: Buffer, length = payload.length): Buffer {
  const header =
    length < 126
      ? Buffer.of(firstByte, 0x80 | length)
      : length < 65_536
        ? Buffer.of(firstByte, 0x80 | 126, length >> 8, length & 0xff)
        : Buffer.concat([Buffer.of(firstByte, 0x80 | 127), bigEndian(length)]);
  return Buffer.concat([header, Buffer.alloc(4), payload]);
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
