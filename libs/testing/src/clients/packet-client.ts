import type { WebSocket } from 'ws';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import type { BodyCipher } from './body-cipher.js';
import { ChatClient } from './chat-client.js';
import { decodePacket, encodeText } from './packet-frame.js';
import { withPatience } from '../process/until.js';
import type { Packet } from './packet.js';

export interface PacketClientOptions {
  /** What the `packet` event carries. */
  readonly carries?: 'object' | 'frame';
  /** Take answers by acknowledgement callback (as new clients do) or as `packet` events. */
  readonly acks?: boolean;
  /** Of frames only. */
  readonly cipher?: BodyCipher | undefined;
  readonly transport?: 'websocket' | 'polling';
  readonly auth?: Record<string, unknown>;
  readonly headers?: Record<string, string>;
  readonly query?: Record<string, string>;
}

/** A client of the Socket.IO endpoint. */
export class PacketClient extends ChatClient {
  private constructor(
    userId: string,
    readonly socket: Socket,
    private readonly options: PacketClientOptions,
  ) {
    const carries = options.carries ?? 'object';
    super(
      userId,
      `${carries}${options.cipher ? ', encrypted' : ''}${options.acks === false ? ', no acks' : ''}`,
    );
    socket.on('packet', (argument: unknown) => this.received(argument));
    socket.on('disconnect', (reason) => this.wasClosed({ code: null, reason }));
  }

  /** Resolves when the connection is open; rejects with the reason when it can't be. */
  static connect(url: string, userId: string, options: PacketClientOptions = {}): Promise<PacketClient> {
    const settings: Partial<ManagerOptions & SocketOptions> = {
      transports: [options.transport ?? 'websocket'],
      forceNew: true,
      reconnection: false,
      auth: options.auth ?? {},
      extraHeaders: options.headers ?? {},
      query: options.query ?? {},
    };
    const socket = io(url, settings);
    const client = new PacketClient(userId, socket, options);
    return new Promise((resolve, reject) => {
      socket.once('connect', () => resolve(client));
      socket.once('connect_error', (error) => {
        socket.close();
        reject(error);
      });
    });
  }

  protected write(packet: Packet): void {
    const argument = this.options.carries === 'frame' ? this.encode(packet) : packet;
    if (this.options.acks === false) this.socket.emit('packet', argument);
    else this.socket.emit('packet', argument, (answer: unknown) => this.received(answer));
  }

  /** Emits a `packet` event with any argument and resolves with the packet its acknowledgement carries. */
  sendArgument(argument: unknown): Promise<Packet> {
    const answer = new Promise<Packet>((resolve) => {
      this.socket.emit('packet', argument, (acknowledgement: unknown) => {
        resolve(
          Buffer.isBuffer(acknowledgement) ? this.decode(acknowledgement) : this.packet(acknowledgement),
        );
      });
    });
    return withPatience(answer, 'the acknowledgement');
  }

  pause(): void {
    this.webSocket().pause();
  }

  resume(): void {
    this.webSocket().resume();
  }

  abort(): void {
    this.webSocket().terminate();
  }

  protected beginClose(): void {
    this.socket.close();
  }

  /** The `ws` socket beneath, which engine.io-client uses on Node. */
  private webSocket(): WebSocket {
    const transport = this.socket.io.engine.transport as unknown as { ws: WebSocket };
    return transport.ws;
  }

  private encode(packet: Packet): Buffer {
    return encodeText(packet.version, packet.command, JSON.stringify(packet), this.options.cipher);
  }

  private received(argument: unknown): void {
    try {
      this.arrived(Buffer.isBuffer(argument) ? this.decode(argument) : this.packet(argument));
    } catch (error) {
      this.violated(String(error));
    }
  }

  private packet(argument: unknown): Packet {
    if (this.options.carries === 'frame')
      throw new Error(`an object instead of a frame: ${JSON.stringify(argument)}`);
    if (typeof argument !== 'object' || argument === null) throw new Error(`no packet: ${String(argument)}`);
    return argument as Packet;
  }

  private decode(bytes: Buffer): Packet {
    if (this.options.carries !== 'frame') throw new Error('a frame instead of an object');
    return decodePacket(bytes, this.options.cipher);
  }
}
