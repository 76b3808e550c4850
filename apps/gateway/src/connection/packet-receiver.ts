import type { Refusal } from '@starling/protocol';
import type { ClientConnection } from './client-connection.js';
import type { ReceivedPacket } from './received-packet.js';

/**
 * How a packet stands to those around it. All begin in the order of their arrival.
 * - `state`: changes session or membership; the next packet begins when it has ended.
 * - `submit`: the next packet does not wait for its answer.
 * - `read`: as `submit`, but one after the other, so that answers come in the order of their requests.
 */
export type Lane = 'state' | 'submit' | 'read';

/** What stands behind the connections: the commands. */
export interface PacketReceiver {
  laneOf(command: number): Lane;
  /** Answers the packet, refusals included; never rejects. */
  receive(received: ReceivedPacket): Promise<void> | void;
  /** Answers a packet that was stopped before its handler. */
  refuse(received: ReceivedPacket, refusal: Refusal): void;
  /**
   * The connection has ended; called once, after its last packet of the `state` lane. `clean`: by the client's own
   * goodbye. Never rejects.
   */
  ended(connection: ClientConnection, clean: boolean): Promise<void>;
}

export const PACKET_RECEIVER = Symbol('PacketReceiver');
