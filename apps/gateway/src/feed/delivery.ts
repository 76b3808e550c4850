import type { MessageEvent } from '@starling/rooms';
import { DeliveryFrames } from '../connection/delivery-frames.js';
import type { Frame, WireForm } from '../connection/wire-form.js';

/** A message as the feed needs it, whether it came by a broadcast or from the store. */
export type FeedMessage = Omit<MessageEvent, 'kind'>;

/** A message on its way to any number of connections, with the frames that were built of it. */
export class Delivery {
  private frames: DeliveryFrames | null = null;

  constructor(readonly message: FeedMessage) {}

  get seq(): number {
    return this.message.seq;
  }

  frame(form: WireForm, isItMe: boolean): Frame {
    this.frames ??= new DeliveryFrames(this.message.body);
    return this.frames.for(form, isItMe);
  }
}

/** A seq whose message is not to be had any more: it counts as delivered. */
export interface Tombstone {
  readonly seq: number;
  readonly message: null;
}
