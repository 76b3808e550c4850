import type { ServerResponse } from 'node:http';
import { guardPacket, Refusal, type Cipher, type JsonObject } from '@starling/protocol';
import type { Socket } from 'socket.io';
import type { WebSocket } from 'ws';
import { closed } from './byte-connection.js';
import type { ClientHandshake } from './client-connection.js';
import type { ConnectionServices } from './connection-services.js';
import { LiveConnection } from './live-connection.js';
import { SocketOutlet } from './socket-outlet.js';
import type { BuiltFrame, EncodingForm } from './wire-forms.js';

/** The parts of engine.io's socket that its types leave out. */
interface EngineSocket {
  readonly readyState: string;
  readonly transport: EngineTransport;
  readonly writeBuffer: readonly unknown[];
  write(packet: string | Buffer, options: { compress: boolean }): void;
  close(discard?: boolean): void;
  on(event: 'packet', listener: (packet: { data?: unknown }) => void): void;
  on(event: 'flush' | 'upgrade', listener: () => void): void;
  once(event: 'drain' | 'close', listener: () => void): void;
}

interface EngineTransport {
  readonly name: string;
  readonly supportsBinary: boolean;
  /** Of the websocket transport. */
  readonly socket?: WebSocket;
  /** Of the polling transport: the response that is waiting to be written. */
  readonly res?: ServerResponse | null;
}

type Acknowledge = (...args: unknown[]) => void;

const EVENT = 'packet';
/** UTF-8 takes at most three bytes for a UTF-16 code unit. */
const BYTES_PER_UNIT = 3;
const UNCOMPRESSED = { compress: false };

/**
 * A client of the Socket.IO endpoint. Packets are taken from the socket itself: Nest's pipeline for messages
 * builds several observables for each, and Socket.IO's emitter waits two turns.
 */
export class SocketIoConnection extends LiveConnection {
  readonly endpoint = 'socket.io';
  private readonly engine: EngineSocket;
  private outlet: SocketOutlet | null = null;
  /** Bytes that wait in engine.io: for the next poll, or behind a write of its own. */
  private queued = 0;
  /** Bytes in responses to polls that the reader has not taken yet. */
  private polled = 0;
  /** Messages above the size limit whose objects have not been met yet: Socket.IO tells no object's size. */
  private oversized = 0;
  private readonly unconfirmed = new Set<(taken: boolean) => void>();

  constructor(
    services: ConnectionServices,
    private readonly socket: Socket,
    handshake: ClientHandshake,
    address: string,
  ) {
    super(services, handshake, address, services.forms.object);
    this.engine = socket.conn as unknown as EngineSocket;
    this.engine.on('flush', () => this.flushed());
    this.engine.on('upgrade', () => (this.outlet = this.outletOf(this.engine.transport)));
    this.engine.on('packet', ({ data }) => this.measure(data));
    this.outlet = this.outletOf(this.engine.transport);
    rememberAckIds(socket);
    socket.on('error', () => services.metrics.brokenFrames.inc({ endpoint: this.endpoint }));
    socket.onAny((event: unknown, ...args: unknown[]) => this.received(event, args));
  }

  /** True when the system has taken everything written so far: Socket.IO clients close their gaps themselves. */
  confirmed(): Promise<boolean> {
    if (!this.isOpen) return Promise.resolve(false);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const settle = (taken: boolean) => {
      this.unconfirmed.delete(settle);
      resolve(taken);
    };
    this.unconfirmed.add(settle);
    const outlet = this.direct();
    if (outlet !== null) outlet.write(Buffer.alloc(0), () => settle(true));
    else if (this.engine.writeBuffer.length === 0) settle(true);
    else this.engine.once('drain', () => settle(true));
    return promise;
  }

  override ended(clean: boolean): void {
    super.ended(clean);
    for (const settle of this.unconfirmed) settle(false);
  }

  async gone(): Promise<void> {
    const { socket } = this.engine.transport;
    if (socket !== undefined) await closed(socket);
    else if (this.engine.readyState !== 'closed')
      await new Promise<void>((resolve) => this.engine.once('close', resolve));
  }

  protected get takesBytes(): boolean {
    return this.engine.readyState === 'open';
  }

  protected put(frame: BuiltFrame): void {
    const outlet = this.direct();
    if (outlet !== null) {
      outlet.write(frame.wire);
      return;
    }
    this.queued += frame.bytes;
    for (const packet of frame.packets) this.engine.write(packet, UNCOMPRESSED);
    this.checkWaiting();
  }

  protected hangUp(): void {
    this.socket.disconnect(true);
  }

  protected cut(): void {
    const { socket } = this.engine.transport;
    this.engine.close(true);
    socket?.terminate();
  }

  protected formOf(cipher: Cipher): EncodingForm {
    return this.services.forms.frame(cipher);
  }

  /** The socket to write to past engine.io; null while that holds packets back, which must go first. */
  private direct(): SocketOutlet | null {
    return this.engine.writeBuffer.length === 0 ? this.outlet : null;
  }

  private outletOf({ name, socket, supportsBinary }: EngineTransport): SocketOutlet | null {
    if (name !== 'websocket' || socket === undefined || !supportsBinary) return null;
    return new SocketOutlet(socket, this.services.config.MAX_OUTBOUND_BYTES, () => this.close('SLOW_READER'));
  }

  private received(event: unknown, args: unknown[]): void {
    const last = args.at(-1);
    const ackId = typeof last === 'function' ? ackIdOf(last as Acknowledge) : null;
    const argument = args[0];
    if (event !== EVENT) {
      this.takeBroken(new Refusal('NOT_A_PACKET', 'the event is not "packet"'), this.form, ackId);
    } else if (argument instanceof Uint8Array) {
      this.takeFrame(argument, ackId);
    } else {
      this.takeObject(typeof argument === 'function' ? undefined : argument, ackId);
    }
  }

  /** Text above the limit, envelope and all; binary messages are frames, measured when they are taken. */
  private measure(data: unknown): void {
    const { MAX_PACKET_BYTES } = this.services.config;
    if (typeof data !== 'string' || data.length * BYTES_PER_UNIT <= MAX_PACKET_BYTES) return;
    if (Buffer.byteLength(data) > MAX_PACKET_BYTES) this.oversized += 1;
  }

  private takeObject(value: unknown, ackId: number | null): void {
    if (!this.isOpen) return;
    const guarded = () => {
      const packet = guardPacket(value, this.jsonLimits);
      if (this.isTooLarge(packet)) throw new Refusal('PACKET_TOO_LARGE');
      return packet;
    };
    this.take(guarded, () => value, this.services.forms.object, ackId);
  }

  private isTooLarge(packet: JsonObject): boolean {
    if (this.oversized === 0) return false;
    const tooLarge = Buffer.byteLength(JSON.stringify(packet)) > this.services.config.MAX_PACKET_BYTES;
    if (tooLarge) this.oversized -= 1;
    return tooLarge;
  }

  private flushed(): void {
    const { name, res } = this.engine.transport;
    const bytes = this.queued;
    this.queued = 0;
    if (name !== 'polling' || bytes === 0 || !res) return;
    this.polled += bytes;
    res.once('close', () => (this.polled -= bytes));
    this.checkWaiting();
  }

  private checkWaiting(): void {
    const waiting = this.queued + this.polled + (this.outlet?.waiting ?? 0);
    if (waiting > this.services.config.MAX_OUTBOUND_BYTES) this.close('SLOW_READER');
  }
}

const ackIds = new WeakMap<Acknowledge, number>();

/**
 * Socket.IO hides the id of the packet that waits for an acknowledgement in a function; knowing it, the answer is
 * encoded by the wire form as every other packet, instead of being parsed and serialised again.
 */
function rememberAckIds(socket: Socket): void {
  const inside = socket as unknown as { ack(id: number): Acknowledge };
  const ackOf = inside.ack.bind(socket);
  inside.ack = (id) => {
    const acknowledge = ackOf(id);
    ackIds.set(acknowledge, id);
    return acknowledge;
  };
}

function ackIdOf(acknowledge: Acknowledge): number | null {
  return ackIds.get(acknowledge) ?? null;
}
