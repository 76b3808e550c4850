import type { CloseReasonName, ConversationKey } from '@starling/protocol';

/** A committed message, from its message-store to every gateway with a member. */
export interface MessageEvent {
  readonly kind: 'message';
  readonly conversation: ConversationKey;
  readonly seq: number;
  readonly messageId: string;
  readonly sender: string;
  readonly partition: number;
  readonly position: number;
  readonly previousPosition: number;
  readonly membershipVersion: number;
  /** See `StoredMessage.body` in the bus: serialised once, travels as text. */
  readonly body: string;
  /** W3C trace context of the emit's span; absent where the message's trace is not recorded. */
  readonly traceparent?: string | undefined;
}

/**
 * How far a conversation goes, from a message-store that has taken its partition over: its predecessor may have died
 * before it told of the last messages.
 */
export interface HeadEvent {
  readonly kind: 'head';
  readonly conversation: ConversationKey;
  readonly partition: number;
  /** The highest seq. */
  readonly head: number;
  readonly headPosition: number;
}

/** A packet for the connections of a room as it stands: signals, read cursors. Lost when a broadcast is lost. */
export interface PacketEvent {
  readonly kind: 'packet';
  /** The whole packet as JSON text. */
  readonly packet: string;
  /** A connection that does not get it: the one that caused it. */
  readonly except: string | null;
  /** `pushes`: only connections whose login asked for pushes. */
  readonly to: 'all' | 'pushes';
  /** Of a group's room: only where its changes up to this version are known, so not to who was removed by one. */
  readonly of?: { readonly groupId: string; readonly membershipVersion: number } | undefined;
}

/** The connection in the room that has this session is to be closed. */
export interface CloseEvent {
  readonly kind: 'close';
  readonly sessionId: string;
  readonly reason: CloseReasonName;
}

export type RoomEvent = MessageEvent | HeadEvent | PacketEvent | CloseEvent;
