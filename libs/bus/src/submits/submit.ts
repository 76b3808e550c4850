import type { ConversationKey, ErrorName } from '@starling/protocol';

/** The sender's own message id, with its type: `1` and `"1"` are two ids. */
export type ClientMessageId = string | number;

/** A message on its way from a gateway to the leader of its conversation's partition. */
export interface Submit {
  /**
   * Given by the gateway to each received packet: instance and counter, unique for ever. It becomes the
   * message's id if this packet turns out to be the first of its message.
   */
  readonly messageId: string;
  readonly partition: number;
  readonly conversation: ConversationKey;
  /** The bound user of the connection, never what the packet claims. */
  readonly sender: string;
  readonly clientId: ClientMessageId;
  readonly contentType: number;
  readonly content: string;
  /**
   * The packet's fields as one JSON text without braces: a non-empty `"key":value,…` list, without `version`,
   * `command`, `isItMe`, `success`, `messageId`, `seq` and `serverTime`.
   */
  readonly fields: string;
  /** The group's membership version that the gateway knew when it let the packet pass; 0 for private ones. */
  readonly membershipVersion: number;
  /** W3C trace context of the submit's span; absent where the message's trace is not recorded. */
  readonly traceparent?: string | undefined;
}

export type SubmitOutcome =
  | {
      readonly kind: 'stored';
      /** Those of the message's first packet, also when this one was a retry. */
      readonly messageId: string;
      readonly seq: number;
      /** Milliseconds since 1970. */
      readonly serverTime: number;
      /** True when an earlier packet of the same message was stored. */
      readonly duplicate: boolean;
    }
  /** Certain: nothing was stored and nothing of this packet will be. */
  | { readonly kind: 'refused'; readonly error: ErrorName }
  /** It may be stored or become so; only a retry with the same client id can tell. */
  | { readonly kind: 'unknown' };
