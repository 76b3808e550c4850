import type { CloseReasonName } from '@starling/protocol';
import type { Session } from './session.js';
import type { Frame, WireForm } from './wire-form.js';

/**
 * One client's connection, whichever endpoint it came by. The only view of sockets that commands, feed and
 * membership have; the code behind it stays in this folder.
 */
export interface Connection {
  /** Unique for ever; its name in rooms. */
  readonly id: string;
  /** The client's address, after trusted proxies. */
  readonly address: string;
  /** The form the client spoke last; what is sent without being asked takes it. */
  readonly form: WireForm;
  /** Null before login and after logout. */
  session: Session | null;
  /** False from the moment it began to close; sending to it has no effect then. */
  readonly isOpen: boolean;
  /** Sends one packet, given as its JSON text, to this connection alone, in its form. */
  send(packet: string): void;
  /** Writes a frame that was built once for many; frames written within one tick leave together. */
  write(frame: Frame): void;
  /** Resolves true once the client's side has confirmed everything written so far, false when it closed before. */
  confirmed(): Promise<boolean>;
  /** Sends push -14 to clients that know it, then closes. */
  close(reason: CloseReasonName, retryAfterMs?: number): void;
}
