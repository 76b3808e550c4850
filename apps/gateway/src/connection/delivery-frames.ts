import { messagePacketText } from '@starling/protocol';
import type { Frame, WireForm } from './wire-form.js';

/**
 * The frames of one message: each wire form and value of `isItMe` is built when the first connection needs
 * it and never again, whatever the number of members.
 */
export class DeliveryFrames {
  private readonly toSender = new Map<WireForm, Frame>();
  private readonly toOthers = new Map<WireForm, Frame>();

  /** `body` as in `StoredMessage.body`: the packet's text without braces and without what differs by receiver. */
  constructor(private readonly body: string) {}

  for(form: WireForm, isItMe: boolean): Frame {
    const built = isItMe ? this.toSender : this.toOthers;
    let frame = built.get(form);
    if (frame === undefined) {
      frame = form.build(messagePacketText(this.body, isItMe));
      built.set(form, frame);
    }
    return frame;
  }
}
