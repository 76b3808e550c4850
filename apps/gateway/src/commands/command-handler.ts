import type { ErrorName } from '@starling/protocol';
import type { Lane } from '../connection/packet-receiver.js';
import type { ReceivedPacket } from '../connection/received-packet.js';
import type { Session } from '../connection/session.js';

/**
 * Answers one command. Throws a `Refusal` to have it answered; returns the name of an error that it has answered
 * itself, for the metric.
 */
export interface CommandHandler<Packet> {
  readonly command: number;
  readonly lane: Lane;
  /** `packet` has passed its schema, `session` is that of the connection when the packet's turn came. */
  handle(received: ReceivedPacket, packet: Packet, session: Session): Handled | Promise<Handled>;
}

/** For the commands that are answered before login too. */
export interface OpenCommandHandler<Packet> {
  readonly command: number;
  readonly lane: Lane;
  handle(received: ReceivedPacket, packet: Packet, session: Session | null): Handled | Promise<Handled>;
}

export type Handled = ErrorName | undefined;
