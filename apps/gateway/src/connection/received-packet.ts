import type { ClientConnection } from './client-connection.js';

/** One packet on its way from a socket to its handler, and the way back of its answer. */
export interface ReceivedPacket {
  readonly connection: ClientConnection;
  readonly command: number;
  /** Within the limits of size, depth and keys, but of unknown fields. */
  readonly packet: Readonly<Record<string, unknown>>;
  /** By `performance.now()`. */
  readonly receivedAt: number;
  /** The client waits for the answer by an acknowledgement callback. */
  readonly acknowledged: boolean;
  /** Sends the packet (its JSON text) in the form the client used; to be called at most once. */
  answer(packet: string): void;
}
