import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type CipherKey, type Config } from '@starling/config';
import { AesGcmCipher, CipherSet, encodePacketFrame, noCipher, type Cipher } from '@starling/protocol';
import { GatewayMetrics } from './gateway-metrics.js';
import { nodeAead } from './node-aead.js';
import { commandOfText } from './packet-text.js';
import { Opcode, webSocketFrame } from './websocket-frame.js';
import type { Frame, WireForm } from './wire-form.js';

/** Of Socket.IO's binary event and acknowledgement: the frame follows as the one attachment. */
const PLACEHOLDER = '{"_placeholder":true,"num":0}';
const ENGINE_MESSAGE = '4';

export class BuiltFrame implements Frame {
  constructor(
    readonly form: WireForm,
    /** WebSocket messages, ready for a socket. */
    readonly wire: Buffer,
    /** The same as engine.io packets, for transports that are no WebSocket; empty on the byte endpoint. */
    readonly packets: readonly (string | Buffer)[],
  ) {}

  get bytes(): number {
    return this.wire.length;
  }
}

/** A wire form with what only this folder needs. */
export interface EncodingForm extends WireForm {
  build(packet: string): BuiltFrame;
  /** As `build`, for one connection: not counted among the frames built for many. */
  encode(packet: string): BuiltFrame;
  /** As the acknowledgement of the client's Socket.IO packet of that id. */
  acknowledge(packet: string, ackId: number): BuiltFrame;
}

/** Every form this gateway speaks, each once. */
@Injectable()
export class WireForms {
  readonly ciphers: CipherSet;
  readonly object: EncodingForm;
  private readonly frames = new Map<Cipher, EncodingForm>();
  private readonly bytes = new Map<Cipher, EncodingForm>();

  constructor(@Inject(CONFIG) config: Config, metrics: GatewayMetrics) {
    const ciphers = [noCipher, ...config.CIPHER_KEYS.map(aesGcmOf)];
    this.ciphers = new CipherSet(ciphers);
    this.object = new ObjectForm(metrics);
    for (const cipher of ciphers) {
      this.frames.set(cipher, new FrameForm(cipher, metrics));
      this.bytes.set(cipher, new BytesForm(cipher, metrics));
    }
  }

  /** The form of byte frames by Socket.IO. */
  frame(cipher: Cipher): EncodingForm {
    return this.frames.get(cipher)!;
  }

  /** The form of the raw endpoint. */
  byte(cipher: Cipher): EncodingForm {
    return this.bytes.get(cipher)!;
  }
}

function aesGcmOf({ id, key }: CipherKey): Cipher {
  return new AesGcmCipher(id, key, nodeAead);
}

abstract class CountedForm implements EncodingForm {
  abstract readonly kind: WireForm['kind'];

  private readonly encodes: { inc(): void };

  constructor(
    readonly name: string,
    metrics: GatewayMetrics,
  ) {
    this.encodes = metrics.encodes.labels(name);
  }

  build(packet: string): BuiltFrame {
    this.encodes.inc();
    return this.encode(packet);
  }

  abstract encode(packet: string): BuiltFrame;
  abstract acknowledge(packet: string, ackId: number): BuiltFrame;
}

class ObjectForm extends CountedForm {
  readonly kind = 'object';

  constructor(metrics: GatewayMetrics) {
    super('object', metrics);
  }

  encode(packet: string): BuiltFrame {
    return this.text(`2["packet",${packet}]`);
  }

  acknowledge(packet: string, ackId: number): BuiltFrame {
    return this.text(`3${ackId}[${packet}]`);
  }

  private text(socketIoPacket: string): BuiltFrame {
    const wire = webSocketFrame(Opcode.Text, Buffer.from(ENGINE_MESSAGE + socketIoPacket));
    return new BuiltFrame(this, wire, [socketIoPacket]);
  }
}

class FrameForm extends CountedForm {
  readonly kind = 'frame';

  constructor(
    private readonly cipher: Cipher,
    metrics: GatewayMetrics,
  ) {
    super(`frame${nameOf(cipher)}`, metrics);
  }

  encode(packet: string): BuiltFrame {
    return this.attached(`51-["packet",${PLACEHOLDER}]`, packet);
  }

  acknowledge(packet: string, ackId: number): BuiltFrame {
    return this.attached(`61-${ackId}[${PLACEHOLDER}]`, packet);
  }

  private attached(socketIoPacket: string, packet: string): BuiltFrame {
    const attachment = Buffer.from(encodePacketFrame(packet, commandOfText(packet), this.cipher).buffer);
    const wire = Buffer.concat([
      webSocketFrame(Opcode.Text, Buffer.from(ENGINE_MESSAGE + socketIoPacket)),
      webSocketFrame(Opcode.Binary, attachment),
    ]);
    return new BuiltFrame(this, wire, [socketIoPacket, attachment]);
  }
}

class BytesForm extends CountedForm {
  readonly kind = 'bytes';

  constructor(
    private readonly cipher: Cipher,
    metrics: GatewayMetrics,
  ) {
    super(`bytes${nameOf(cipher)}`, metrics);
  }

  encode(packet: string): BuiltFrame {
    const frame = encodePacketFrame(packet, commandOfText(packet), this.cipher);
    return new BuiltFrame(this, webSocketFrame(Opcode.Binary, frame), []);
  }

  /** The raw endpoint has no acknowledgements. */
  acknowledge(packet: string): BuiltFrame {
    return this.encode(packet);
  }
}

function nameOf(cipher: Cipher): string {
  return cipher === noCipher ? '' : `:${cipher.serializer}:${cipher.keyId}`;
}
