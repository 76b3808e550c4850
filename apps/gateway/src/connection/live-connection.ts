import {
  CloseReason,
  Command,
  decodeFrame,
  decodePacketFrame,
  parsePacketText,
  Refusal,
  refusalAnswer,
  type Cipher,
  type CloseReasonName,
  type ErrorName,
  type FramedPacket,
  type JsonObject,
} from '@starling/protocol';
import type { ClientConnection, ClientHandshake, Endpoint } from './client-connection.js';
import type { ConnectionServices } from './connection-services.js';
import { Inbox } from './inbox.js';
import { PacketLimits } from './packet-limits.js';
import { packetText } from './packet-text.js';
import type { ReceivedPacket } from './received-packet.js';
import type { Session } from './session.js';
import type { Frame } from './wire-form.js';
import type { BuiltFrame, EncodingForm } from './wire-forms.js';

/** The longest a timer can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What cannot be read, as opposed to what is read and refused. */
const BROKEN: ReadonlySet<ErrorName> = new Set([
  'BAD_FRAME',
  'UNKNOWN_SERIALIZER',
  'BAD_JSON',
  'NOT_A_PACKET',
  'PACKET_TOO_LARGE',
  'DECRYPTION_FAILED',
]);

/** What both endpoints' connections have in common: reading packets, their order, limits, and how it ends. */
export abstract class LiveConnection implements ClientConnection {
  abstract readonly endpoint: Endpoint;
  readonly id: string;
  session: Session | null = null;
  protected readonly limits: PacketLimits;
  private readonly inbox: Inbox;
  private timer: NodeJS.Timeout | undefined;
  /** Neither closed from here nor ended. */
  private open = true;
  private closing = false;
  private draining = false;
  private hasEnded = false;

  protected constructor(
    protected readonly services: ConnectionServices,
    readonly handshake: ClientHandshake,
    readonly address: string,
    public form: EncodingForm,
  ) {
    this.id = services.instance.nextConnectionId();
    this.limits = new PacketLimits(services.config);
    this.inbox = new Inbox(services.config.MAX_UNANSWERED);
    this.loggedOut();
    services.connections.add(this);
  }

  abstract confirmed(): Promise<boolean>;
  /** Resolves when the socket is gone, which takes longer than `close` where the client does not answer. */
  abstract gone(): Promise<void>;
  /** False from the moment the socket takes nothing more, by whichever side's wish. */
  protected abstract get takesBytes(): boolean;
  /** Hands ready bytes to the socket. */
  protected abstract put(frame: BuiltFrame): void;
  /** Ends the socket with the reason, after what was written. */
  protected abstract hangUp(reason: CloseReasonName): void;
  /** Ends the socket at once, whatever waits to be written. */
  protected abstract cut(): void;
  /** The form of a byte frame that the client sent. */
  protected abstract formOf(cipher: Cipher): EncodingForm;

  get isOpen(): boolean {
    return this.open && this.takesBytes;
  }

  get isToComeBack(): boolean {
    return this.draining;
  }

  send(packet: string): void {
    if (this.isOpen) this.put(this.form.encode(packet));
  }

  write(frame: Frame): void {
    if (this.isOpen) this.put(frame as BuiltFrame);
  }

  loggedIn(expiresAt: number | null): void {
    clearTimeout(this.timer);
    if (expiresAt !== null && !this.hasEnded) this.closeAt(expiresAt);
  }

  loggedOut(): void {
    clearTimeout(this.timer);
    if (this.hasEnded) return;
    this.timer = setTimeout(() => this.close('LOGIN_TIMEOUT'), this.services.config.LOGIN_TIMEOUT_MS);
  }

  close(reason: CloseReasonName, retryAfterMs?: number): void {
    if (!this.isOpen) return;
    this.announceClosing(reason, retryAfterMs);
    this.open = false;
    this.services.metrics.closes.inc({ reason });
    this.services.logger.debug({ connection: this.id, endpoint: this.endpoint, reason }, 'connection closed');
    if (reason === 'SLOW_READER') this.cut();
    else this.hangUp(reason);
    this.ended(false);
  }

  /** Tells the client that it will be closed; from now on its packets are refused. */
  drain(retryAfterMs: number): void {
    this.draining = true;
    this.announceClosing('SHUTDOWN', retryAfterMs);
  }

  /** Resolves when every packet taken has been answered. */
  idle(): Promise<void> {
    return this.inbox.idle();
  }

  /** Ends the socket without a goodbye. */
  abandon(): void {
    this.open = false;
    this.cut();
    this.ended(false);
  }

  /** The socket is gone, or will be; `clean`: by the client's own goodbye. */
  ended(clean: boolean): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.open = false;
    clearTimeout(this.timer);
    this.inbox.end(() => {
      void this.leave(clean);
    });
  }

  /** Counts anything that came by the socket, packet or not. */
  protected heard(): void {
    if (this.isOpen && !this.limits.message()) this.close('FLOOD');
  }

  /** A byte frame; `ackId` of its Socket.IO acknowledgement, if one is awaited. */
  protected takeFrame(bytes: Uint8Array, ackId: number | null): void {
    if (!this.isOpen) return;
    let framed: FramedPacket | null;
    let known: JsonObject | null = null;
    try {
      if (bytes.length > this.services.config.MAX_PACKET_BYTES) {
        // Its body is not worth reading, but the header tells which answer the client waits for.
        known = { command: decodeFrame(bytes).command };
        throw new Refusal('PACKET_TOO_LARGE');
      }
      framed = decodePacketFrame(bytes, this.services.forms.ciphers);
    } catch (error) {
      this.takeBroken(error, this.form, ackId, known);
      return;
    }
    if (framed === null) return;
    const { text, cipher } = framed;
    const form = this.formOf(cipher);
    this.take(
      () => parsePacketText(text, this.jsonLimits),
      () => JSON.parse(text) as unknown,
      form,
      ackId,
    );
  }

  /**
   * Takes the packet that `guarded` gives. When the guard refuses it, `unguarded` is looked at for what its refusal
   * has to repeat.
   */
  protected take(
    guarded: () => JsonObject,
    unguarded: () => unknown,
    form: EncodingForm,
    ackId: number | null,
  ): void {
    let packet: JsonObject;
    try {
      packet = guarded();
    } catch (error) {
      if (error instanceof Refusal && !BROKEN.has(error.error)) {
        this.takePacket(new Received(this, echoable(unguarded), form, ackId), error);
      } else {
        this.takeBroken(error, form, ackId);
      }
      return;
    }
    this.form = form;
    this.takePacket(new Received(this, packet, form, ackId), null);
  }

  /** What could not be read; `known` is what its refusal can repeat of it. */
  protected takeBroken(
    error: unknown,
    form: EncodingForm,
    ackId: number | null,
    known: JsonObject | null = null,
  ): void {
    const { logger, metrics } = this.services;
    const refusal = error instanceof Refusal ? error : new Refusal('INTERNAL');
    if (refusal !== error) logger.error({ err: error, connection: this.id }, 'a packet could not be read');
    this.respond(refusalAnswer(refusal, known, this.session?.userId ?? null), form, ackId);
    metrics.brokenFrames.inc({ endpoint: this.endpoint });
    if (!this.limits.broken()) this.close('BROKEN_FRAMES');
  }

  private takePacket(received: Received, refusal: Refusal | null): void {
    const { receiver, metrics } = this.services;
    const allowed = this.limits.packet();
    if (allowed === 'flood') {
      this.close('FLOOD');
    } else if (allowed === 'refuse') {
      metrics.rateLimited.inc();
      receiver.refuse(received, new Refusal('RATE_LIMITED'));
    } else if (refusal !== null) {
      receiver.refuse(received, refusal);
    } else if (this.draining) {
      receiver.refuse(received, new Refusal('SHUTTING_DOWN'));
    } else if (!this.inbox.take(receiver.laneOf(received.command), () => receiver.receive(received))) {
      receiver.refuse(received, new Refusal('TOO_MANY_UNANSWERED'));
    }
  }

  respond(packet: string, form: EncodingForm, ackId: number | null): void {
    if (!this.isOpen) return;
    try {
      this.put(ackId === null ? form.encode(packet) : form.acknowledge(packet, ackId));
    } catch (error) {
      // Nobody else may notice what one client's packet brought about.
      this.services.logger.error({ err: error, connection: this.id }, 'an answer could not be sent');
      this.close('INTERNAL');
    }
  }

  private async leave(clean: boolean): Promise<void> {
    const { receiver, connections, logger } = this.services;
    try {
      await receiver.ended(this, clean);
    } catch (error) {
      logger.error({ err: error, connection: this.id }, 'the end of a connection was not dealt with');
    }
    connections.remove(this);
  }

  private announceClosing(reason: CloseReasonName, retryAfterMs?: number): void {
    if (this.closing) return;
    this.closing = true;
    if (this.session?.pushes !== true || reason === 'SLOW_READER') return;
    const { code, text, reconnect } = CloseReason[reason];
    this.send(
      packetText(Command.ClosingPush, {
        code,
        reason: text,
        reconnect,
        retryAfterMs: reconnect === 'later' ? (retryAfterMs ?? this.spreadMs()) : null,
      }),
    );
  }

  /** Clients that are told to come back later do so over a window, not at once. */
  private spreadMs(): number {
    return Math.round(Math.random() * this.services.config.RECONNECT_WINDOW_MS);
  }

  private closeAt(expiresAt: number): void {
    const left = expiresAt - Date.now();
    this.timer = setTimeout(
      () => {
        if (left > MAX_TIMER_MS) this.closeAt(expiresAt);
        else this.close('TOKEN_EXPIRED');
      },
      Math.min(Math.max(left, 0), MAX_TIMER_MS),
    );
  }

  protected get jsonLimits(): { maxDepth: number; maxKeys: number } {
    const { MAX_JSON_DEPTH: maxDepth, MAX_JSON_KEYS: maxKeys } = this.services.config;
    return { maxDepth, maxKeys };
  }
}

/**
 * The fields by which a client knows its request again, of a packet that did not pass the guard. Only these, and only
 * where they are plain: what the guard objected to must not come back.
 */
const ECHOED = [
  'version',
  'command',
  'chatType',
  'chatId',
  'userId',
  'toUserId',
  'hasBeenSentId',
  'contentType',
  'content',
  'createTime',
] as const;

function echoable(unguarded: () => unknown): JsonObject {
  const echo: JsonObject = {};
  let packet: unknown;
  try {
    packet = unguarded();
  } catch {
    return echo;
  }
  for (const field of ECHOED) {
    const value = (packet as JsonObject)[field];
    if (typeof value === 'string' || Number.isFinite(value)) echo[field] = value;
  }
  return echo;
}

class Received implements ReceivedPacket {
  readonly command: number;
  readonly receivedAt = performance.now();

  constructor(
    readonly connection: LiveConnection,
    readonly packet: JsonObject,
    private readonly form: EncodingForm,
    private readonly ackId: number | null,
  ) {
    this.command = typeof packet.command === 'number' ? packet.command : 0;
  }

  get acknowledged(): boolean {
    return this.ackId !== null;
  }

  answer(packet: string): void {
    this.connection.respond(packet, this.form, this.ackId);
  }
}
