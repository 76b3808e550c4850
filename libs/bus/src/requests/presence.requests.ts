import { requestPattern } from './pattern.js';

export interface SessionRecord {
  readonly sessionId: string;
  readonly userId: string;
  /** What the client called itself at login, if anything. */
  readonly device: string | null;
  readonly gatewayId: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

export const PresenceRequest = {
  /**
   * A connection was bound: the user is known from now on (durably) and has this session. Refusal:
   * TOO_MANY_CONNECTIONS when the user already has `maxSessions`. Opening the same session again changes nothing.
   */
  open: requestPattern<{ session: SessionRecord; maxSessions: number }, Record<string, never>>(
    'presence.open',
  ),
  close: requestPattern<{ sessionId: string; userId: string }, Record<string, never>>('presence.close'),
  /** A gateway renews the leases of all its sessions in one request; unknown ones are registered again. */
  renew: requestPattern<{ gatewayId: string; sessions: SessionRecord[] }, Record<string, never>>(
    'presence.renew',
  ),
  sessions: requestPattern<{ userId: string }, { sessions: SessionRecord[] }>('presence.sessions'),
  /** Whether the user has ever logged in or was created by an administrator. */
  knowsUser: requestPattern<{ userId: string }, { known: boolean }>('presence.knows-user'),
  createUser: requestPattern<{ userId: string }, { created: boolean }>('presence.create-user'),
} as const;
