import type { DevicePolicy, NewSession, SessionRecord } from '@starling/bus';

/** A session that was ended, and the newer one of its user that ended it. */
export interface Displaced {
  readonly session: SessionRecord;
  readonly by: SessionRecord;
}

export interface LoginRules {
  /** Most sessions of one user. */
  readonly maxSessions: number;
  readonly policy: DevicePolicy;
}

/**
 * Who is connected now: user → sessions, each with a lease that its gateway renews.
 *
 * Guarantees:
 * - a session whose lease is over is in no answer and in no count against a user's maximum, reaped or not;
 * - of sessions of a user opened at the same time, on whatever gateways, never more than the maximum get in, and of
 *   those that the policy does not let stand beside each other exactly the newest stays;
 * - a displaced session is gone at once. Its renewals are answered so until it is closed, or not renewed for as long
 *   as a lease: its gateway hears of it though every other word was lost;
 * - only what is given is believed: a renewal does not close the gateway's sessions that it leaves out.
 */
export interface SessionRegistry {
  /**
   * Answers since when the session is, which is later than of any other of the user, and which ones it displaced.
   * Null, with nothing changed, when `maxSessions` others would stay. Opening a session that is there renews its
   * lease.
   */
  open(session: NewSession, rules: LoginRules): Promise<OpenedSession | null>;
  /** No effect when the user has no such session. */
  close(userId: string, sessionId: string): Promise<void>;
  /**
   * Its connection ends because its gateway stops, and the client is told to come back: the session stays until the
   * user's next one takes its place, for the length of a lease at most. Until then it counts against no maximum, and no
   * policy knows it. No effect when the user has no such session.
   */
  leave(userId: string, sessionId: string): Promise<void>;
  /**
   * Renews the leases; a session that is unknown (reaped, or the registry lost it) is registered again, unless the
   * policy does not let it stand beside a newer one. Answers the displaced: of those given, and of others that had to
   * give way to one of them.
   */
  renew(sessions: readonly SessionRecord[], policy: DevicePolicy): Promise<Displaced[]>;
  sessionsOf(userId: string): Promise<SessionRecord[]>;
  /** Forgets the sessions whose lease is over and answers each once, except those that are back. */
  reap(): Promise<SessionRecord[]>;
  count(): Promise<{ sessions: number; users: number }>;
}

export interface OpenedSession {
  readonly since: number;
  readonly displaced: readonly Displaced[];
}

export const SESSION_REGISTRY = Symbol('SessionRegistry');
