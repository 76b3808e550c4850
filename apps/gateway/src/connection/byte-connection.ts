import { CloseReason, noCipher, Refusal, type Cipher, type CloseReasonName } from '@starling/protocol';
import { WebSocket } from 'ws';
import type { ClientHandshake } from './client-connection.js';
import type { ConnectionServices } from './connection-services.js';
import { LiveConnection } from './live-connection.js';
import { SocketOutlet } from './socket-outlet.js';
import type { BuiltFrame, EncodingForm } from './wire-forms.js';

interface Confirmation {
  readonly promise: Promise<boolean>;
  readonly settle: (confirmed: boolean) => void;
}

/** A client of the raw endpoint: one binary WebSocket message, one byte frame. */
export class ByteConnection extends LiveConnection {
  readonly endpoint = 'bytes';
  private readonly outlet: SocketOutlet;
  private heardAt = performance.now();
  private pings = 0;
  /** Answered by the pong of the ping under way. */
  private awaited: Confirmation | null = null;
  /** For what was written after that ping: answered by the next one. */
  private next: Confirmation | null = null;

  constructor(
    services: ConnectionServices,
    private readonly webSocket: WebSocket,
    handshake: ClientHandshake,
    address: string,
  ) {
    super(services, handshake, address, services.forms.byte(noCipher));
    this.outlet = new SocketOutlet(webSocket, services.config.MAX_OUTBOUND_BYTES, () =>
      this.close('SLOW_READER'),
    );
    webSocket.binaryType = 'nodebuffer';
    webSocket.on('message', (data, isBinary) => this.received(data as Buffer, isBinary));
    webSocket.on('ping', () => this.sawLife());
    webSocket.on('pong', (payload) => this.ponged(payload));
    // `ws` closes by itself after an error; without a listener the process would end.
    webSocket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code?.startsWith('WS_ERR_')) services.metrics.brokenFrames.inc({ endpoint: this.endpoint });
    });
  }

  /** Pings a connection that was not heard for a while, and closes one that has been silent for too long. */
  checkSilence(now: number): void {
    const silentMs = now - this.heardAt;
    const { SILENCE_TIMEOUT_MS: limit, MAX_OUTBOUND_BYTES } = this.services.config;
    // Pongs are written by `ws` itself, past the outlet.
    if (this.outlet.waiting > MAX_OUTBOUND_BYTES) this.close('SLOW_READER');
    else if (silentMs >= limit) this.close('SILENT');
    else if (silentMs >= limit / 3 && this.awaited === null) void this.confirmed();
  }

  /** Browsers answer a WebSocket ping by themselves, and only after what came before it. */
  confirmed(): Promise<boolean> {
    if (!this.isOpen) return Promise.resolve(false);
    if (this.awaited !== null) {
      this.next ??= confirmation();
      return this.next.promise;
    }
    this.awaited = confirmation();
    this.ping();
    return this.awaited.promise;
  }

  gone(): Promise<void> {
    return closed(this.webSocket);
  }

  override ended(clean: boolean): void {
    super.ended(clean);
    this.awaited?.settle(false);
    this.next?.settle(false);
    this.awaited = this.next = null;
  }

  /** Also after the client's close frame, which comes a while before the socket's end. */
  protected get takesBytes(): boolean {
    return this.webSocket.readyState === WebSocket.OPEN;
  }

  protected put(frame: BuiltFrame): void {
    this.outlet.write(frame.wire);
  }

  protected hangUp(reason: CloseReasonName): void {
    const { code, text } = CloseReason[reason];
    this.webSocket.close(code, text);
  }

  protected cut(): void {
    this.webSocket.terminate();
  }

  protected formOf(cipher: Cipher): EncodingForm {
    return this.services.forms.byte(cipher);
  }

  private received(data: Buffer, isBinary: boolean): void {
    this.sawLife();
    if (isBinary) this.takeFrame(data, null);
    else if (this.isOpen)
      this.takeBroken(new Refusal('BAD_FRAME', 'a text message is no frame'), this.form, null);
  }

  private sawLife(): void {
    this.heardAt = performance.now();
    this.heard();
  }

  private ping(): void {
    this.pings += 1;
    this.webSocket.ping(String(this.pings));
  }

  private ponged(payload: Buffer): void {
    this.sawLife();
    if (this.awaited === null || payload.toString('latin1') !== String(this.pings)) return;
    this.awaited.settle(true);
    this.awaited = this.next;
    this.next = null;
    if (this.awaited !== null) this.ping();
  }
}

function confirmation(): Confirmation {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  return { promise, settle: resolve };
}

export function closed(webSocket: WebSocket): Promise<void> {
  if (webSocket.readyState === WebSocket.CLOSED) return Promise.resolve();
  return new Promise((resolve) => webSocket.once('close', () => resolve()));
}
