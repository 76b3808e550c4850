import type { CloseReasonName } from '@starling/protocol';
import { requestPattern } from './pattern.js';

export interface SessionRecord {
  readonly sessionId: string;
  readonly userId: string;
  /** What the client called itself at login, if anything. */
  readonly device: string | null;
  /** What kind of device the client said it runs on, if anything. */
  readonly platform: string | null;
  readonly gatewayId: string;
  /** Milliseconds since 1970, by presence: of two sessions of a user the newer one has the higher number. */
  readonly since: number;
}

/** A session that presence is to open: presence says since when it is. */
export type NewSession = Omit<SessionRecord, 'since'>;

/** Which sessions of one user may stand beside each other; see DEVICE_POLICY. */
export type DevicePolicy = 'multi' | 'one-per-platform' | 'single';

/** A session that a newer one of its user has ended: its connection is to be closed for this reason. */
export interface DisplacedSession {
  readonly sessionId: string;
  readonly reason: CloseReasonName;
}

export const PresenceRequest = {
  /**
   * A connection was bound: the user is known from now on (durably) and has this session. Older ones that the policy
   * does not let stay beside it are displaced: they are gone, and their gateways are told by an event of the user's
   * room, which may be lost, and by the answer to their next renewal. Refusal: TOO_MANY_CONNECTIONS when
   * `maxSessions` others would stay. Opening the same session again changes nothing.
   */
  open: requestPattern<{ session: NewSession; maxSessions: number; policy: DevicePolicy }, { since: number }>(
    'presence.open',
  ),
  close: requestPattern<{ sessionId: string; userId: string }, Record<string, never>>('presence.close'),
  /**
   * The session's gateway stops, and has told the client to come back: it is shown until the user's next session takes
   * its place, for the length of a lease at most, and counts against no maximum.
   */
  leave: requestPattern<{ sessionId: string; userId: string }, Record<string, never>>('presence.leave'),
  /**
   * A gateway renews the leases of its sessions, many in one request; unknown ones are registered again, as far as the
   * policy lets them. Answers those of the gateway that are displaced, until it closes them.
   */
  renew: requestPattern<
    { gatewayId: string; sessions: SessionRecord[]; policy: DevicePolicy },
    { displaced: DisplacedSession[] }
  >('presence.renew'),
  sessions: requestPattern<{ userId: string }, { sessions: SessionRecord[] }>('presence.sessions'),
  /** Whether the user has ever logged in or was created by an administrator. */
  knowsUser: requestPattern<{ userId: string }, { known: boolean }>('presence.knows-user'),
  createUser: requestPattern<{ userId: string }, { created: boolean }>('presence.create-user'),
} as const;
