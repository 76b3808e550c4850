import type { Handshake } from '../authentication/authenticator.js';
import type { Connection } from './connection.js';

/** A connection as the commands see it that change who is behind it. */
export interface ClientConnection extends Connection {
  readonly endpoint: Endpoint;
  readonly handshake: ClientHandshake;
  /** Its gateway stops, and has told it so. */
  readonly isToComeBack: boolean;
  /** The login limit ends; `expiresAt` (milliseconds since 1970, null: never) closes with TOKEN_EXPIRED. */
  loggedIn(expiresAt: number | null): void;
  /** Begins a new login limit. */
  loggedOut(): void;
}

export interface ClientHandshake extends Handshake {
  /** See platform-source.ts. */
  readonly platform: string | null;
}

export type Endpoint = 'socket.io' | 'bytes';
