import { Command, PROTOCOL_VERSION } from '@starling/protocol';
import type { Frame, WireForm } from './wire-form.js';

const TO_SENDER = messageHead(true);
const TO_OTHERS = messageHead(false);

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
      frame = form.build(messagePacket(this.body, isItMe));
      built.set(form, frame);
    }
    return frame;
  }
}

/** The whole command-4 packet of a stored body, as one receiver sees it. */
export function messagePacket(body: string, isItMe: boolean): string {
  return `${isItMe ? TO_SENDER : TO_OTHERS}${body}}`;
}

function messageHead(isItMe: boolean): string {
  return `{"version":${PROTOCOL_VERSION},"command":${Command.Message},"isItMe":${isItMe},`;
}
