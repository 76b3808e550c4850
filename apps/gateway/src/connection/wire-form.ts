/**
 * One way packets look on the wire: endpoint, object or frame, cipher key. Two connections with the same form
 * can be sent the same bytes. Forms are interned: equal forms are the same object.
 */
export interface WireForm {
  readonly name: string;
  /** `object` and `frame` by Socket.IO, `bytes` by the raw endpoint (whose bodies are CESU-8). */
  readonly kind: 'object' | 'frame' | 'bytes';
  /** Builds the bytes of a packet from its JSON text. */
  build(packet: string): Frame;
}

/** Bytes ready to be written to every connection of one form, opaque outside this folder. */
export interface Frame {
  readonly form: WireForm;
  readonly bytes: number;
}
