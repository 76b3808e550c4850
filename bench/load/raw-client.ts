import { connect, type Socket } from 'node:net';
import { packetText, textFrame } from './client-frames.js';
import { FrameScanner } from './frame-scanner.js';

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** What is done with what clients receive; one for all of them. */
export interface ClientListener {
  /** A delivery; see `FrameSink.event`. */
  delivery(client: RawClient, bytes: Buffer, at: number): void;
  /** A Socket.IO acknowledgement, `43<id>[…]`, that no `request` waits for. */
  acknowledgement(payload: Buffer): void;
  /** After everything of one read from a socket was handed over. */
  received(): void;
  closed(client: RawClient, why: string): void;
}

/** One for all sockets of the process: what is read is looked at before the next read. */
const RECEIVED = Buffer.allocUnsafe(256 * 1024);

const END_OF_HEAD = '\r\n\r\n';
const TEXT = 1;
const CLOSE = 8;
const PONG = textFrame('3');
const ACK = '43';

/** A Socket.IO client on a socket of its own, with nothing between it and the bytes. */
export class RawClient {
  private readonly socket: Socket;
  private readonly scanner: FrameScanner;
  /** Of the handshake's answer, until it is whole. */
  private head: string | null = '';
  private readonly requests = new Map<number, (payload: string) => void>();
  private lastRequest = 0;
  private open: (() => void) | null = null;
  private closing = false;

  private constructor(
    { host, port }: Target,
    readonly index: number,
    private readonly listener: ClientListener,
  ) {
    this.scanner = new FrameScanner({
      event: (bytes, at) => listener.delivery(this, bytes, at),
      other: (opcode, payload) => this.other(opcode, payload),
    });
    const callback = (length: number) => {
      this.read(length);
      return true;
    };
    this.socket = connect({ host, port, noDelay: true, onread: { buffer: RECEIVED, callback } });
    this.socket.once('connect', () => this.socket.write(upgradeOf(host, port)));
  }

  /** Resolves when Socket.IO has let it in. */
  static connect(target: Target, index: number, listener: ClientListener): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const client = new RawClient(target, index, listener);
      const end = (why: string) => {
        if (client.open !== null) reject(new Error(`a client could not connect: ${why}`));
        else if (!client.closing) listener.closed(client, why);
      };
      client.open = () => {
        client.open = null;
        resolve(client);
      };
      client.socket.once('error', (error) => end(error.message));
      client.socket.once('close', () => end('the socket was closed'));
    });
  }

  write(frame: Buffer): void {
    this.socket.write(frame);
  }

  /** Sends a packet and resolves with its acknowledgement, which must be a success. */
  async request(packet: object): Promise<void> {
    const id = (this.lastRequest += 1);
    const answer = await new Promise<string>((resolve) => {
      this.requests.set(id, resolve);
      this.write(textFrame(packetText(packet, id)));
    });
    if (!answer.includes('"success":true'))
      throw new Error(`${JSON.stringify(packet)} was answered ${answer}`);
  }

  /** Ends the socket at once. */
  destroy(): void {
    this.closing = true;
    this.socket.destroy();
  }

  private read(length: number): void {
    if (this.head === null) {
      this.scanner.push(RECEIVED, length);
    } else {
      this.readHead(RECEIVED.toString('latin1', 0, length));
    }
    this.listener.received();
  }

  private readHead(text: string): void {
    this.head += text;
    const end = this.head!.indexOf(END_OF_HEAD);
    if (end < 0) return;
    const [status = ''] = this.head!.split('\r\n', 1);
    const rest = Buffer.from(this.head!.slice(end + END_OF_HEAD.length), 'latin1');
    this.head = null;
    if (!status.includes(' 101 ')) this.socket.destroy(new Error(status));
    else this.scanner.push(rest, rest.length);
  }

  private other(opcode: number, payload: Buffer): void {
    if (opcode === CLOSE) this.socket.destroy(new Error('the server closed the connection'));
    if (opcode !== TEXT) return;
    const kind = payload.toString('latin1', 0, 2);
    if (kind === ACK) this.acknowledged(payload);
    else if (kind === '2') this.write(PONG);
    else if (kind.startsWith('0')) this.write(textFrame('40'));
    else if (kind === '40') this.open?.();
  }

  private acknowledged(payload: Buffer): void {
    if (this.requests.size > 0) {
      const id = Number.parseInt(payload.toString('latin1', ACK.length, ACK.length + 10), 10);
      const resolve = this.requests.get(id);
      if (resolve !== undefined) {
        this.requests.delete(id);
        resolve(payload.toString());
        return;
      }
    }
    this.listener.acknowledgement(payload);
  }
}

function upgradeOf(host: string, port: number): string {
  const lines = [
    'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
    `Host: ${host}:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: c3RhcmxpbmcncyBiZW5jaA==',
  ];
  return lines.join('\r\n') + END_OF_HEAD;
}
