import type { SessionRecord } from '@starling/bus';

/**
 * Who is connected now: user → sessions, each with a lease that its gateway renews.
 *
 * Guarantees:
 * - a session whose lease is over is in no answer and in no count against a user's maximum, reaped or not;
 * - of sessions of a user opened at the same time, on whatever gateways, never more than the maximum get in;
 * - only what is given is believed: a renewal does not close the gateway's sessions that it leaves out.
 */
export interface SessionRegistry {
  /**
   * False, with nothing changed, when the user already has `maxSessions` others. Opening a session that is
   * there renews its lease.
   */
  open(session: SessionRecord, maxSessions: number): Promise<boolean>;
  /** No effect when the user has no such session. */
  close(userId: string, sessionId: string): Promise<void>;
  /** Renews the leases; a session that is unknown (reaped, or the registry lost it) is registered again. */
  renew(sessions: readonly SessionRecord[]): Promise<void>;
  sessionsOf(userId: string): Promise<SessionRecord[]>;
  /** Forgets the sessions whose lease is over and answers each once, except those that are back. */
  reap(): Promise<SessionRecord[]>;
  count(): Promise<{ sessions: number; users: number }>;
}

export const SESSION_REGISTRY = Symbol('SessionRegistry');
