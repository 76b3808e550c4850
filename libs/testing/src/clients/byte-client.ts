import { WebSocket } from 'ws';
import type { BodyCipher } from './body-cipher.js';
import { frame, SERIALIZER_JSON } from './byte-frame.js';
import { ChatClient } from './chat-client.js';
import { decodePacket, encodeText } from './packet-frame.js';
import type { Packet } from './packet.js';

export interface ByteClientOptions {
  readonly cipher?: BodyCipher | undefined;
  readonly headers?: Record<string, string>;
  readonly protocols?: string[];
  /** Sends, as webim.js does on open, the frame with body `{}` and zero version and command. */
  readonly emptyFirstFrame?: boolean;
  /** False: the client answers no ping. */
  readonly autoPong?: boolean;
}

/** A client of the raw endpoint: one binary WebSocket message, one frame. */
export class ByteClient extends ChatClient {
  private constructor(
    userId: string,
    readonly socket: WebSocket,
    private readonly cipher: BodyCipher | undefined,
  ) {
    super(userId, cipher ? 'bytes, encrypted' : 'bytes');
    socket.binaryType = 'nodebuffer';
    socket.on('message', (data, isBinary) => this.received(data as Buffer, isBinary));
    socket.on('close', (code, reason) => this.wasClosed({ code, reason: reason.toString() }));
    socket.on('error', () => undefined);
  }

  /** Resolves when the connection is open; rejects with the reason (for example an HTTP status) when it can't be. */
  static connect(url: string, userId: string, options: ByteClientOptions = {}): Promise<ByteClient> {
    const socket = new WebSocket(url, options.protocols ?? [], {
      headers: options.headers ?? {},
      perMessageDeflate: false,
      autoPong: options.autoPong ?? true,
    });
    const client = new ByteClient(userId, socket, options.cipher);
    return new Promise((resolve, reject) => {
      socket.once('open', () => {
        if (options.emptyFirstFrame) socket.send(frame(0, SERIALIZER_JSON, 0, Buffer.from('{}')));
        resolve(client);
      });
      socket.once('error', reject);
    });
  }

  protected write(packet: Packet): void {
    this.transmitText(packet.version, packet.command, JSON.stringify(packet));
  }

  /** A frame around any text; unpaired surrogates in it go out as webim.js would send them. */
  transmitText(version: number, command: number, text: string): void {
    this.transmitBytes(encodeText(version, command, text, this.cipher));
  }

  /** One binary WebSocket message, whatever is in it. */
  transmitBytes(bytes: Buffer): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(bytes);
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  abort(): void {
    this.socket.terminate();
  }

  protected beginClose(): void {
    this.socket.close();
  }

  private received(data: Buffer, isBinary: boolean): void {
    try {
      if (!isBinary) throw new Error('a text message');
      this.arrived(decodePacket(data, this.cipher));
    } catch (error) {
      this.violated(`${String(error)} in ${data.toString('hex', 0, 64)}`);
    }
  }
}
