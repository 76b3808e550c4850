import type { DevicePolicy, NewSession, SessionRecord } from '@starling/bus';
import { LeaseMap } from './lease-map.js';
import type { Displaced, LoginRules, OpenedSession, SessionRegistry } from './session-registry.js';

/** Sessions of one process. Each method runs in one go, so none sees another's half-done change. */
export class InMemorySessionRegistry implements SessionRegistry {
  private readonly users = new Map<string, Map<string, SessionRecord>>();
  private readonly leases: LeaseMap<SessionRecord>;
  /** By displaced session, the one that displaced it. */
  private readonly displaced: LeaseMap<SessionRecord>;
  /** Their gateways have stopped, and their users have not come back. */
  private readonly left = new Set<string>();
  /** Dropped by whoever came first, to be answered by the next reap. */
  private ended: SessionRecord[] = [];
  private lastSince = 0;

  constructor(leaseMs: number) {
    this.leases = new LeaseMap(leaseMs);
    this.displaced = new LeaseMap(leaseMs);
  }

  async open(session: NewSession, { maxSessions, policy }: LoginRules): Promise<OpenedSession | null> {
    this.dropEnded();
    const known = this.leases.get(keyOf(session));
    if (known !== undefined) {
      this.leases.put(keyOf(session), known);
      return { since: known.since, displaced: [] };
    }
    const rivals = this.rivalsOf(session, policy);
    const left = this.leftOf(session.userId);
    const others = (this.users.get(session.userId)?.size ?? 0) - rivals.length - left.length;
    if (others >= maxSessions) return null;
    const replaced = left.find(({ platform }) => platform === session.platform) ?? left[0];
    if (replaced !== undefined) this.drop(replaced);
    this.lastSince = Math.max(this.lastSince + 1, Date.now());
    const opened = { ...session, since: this.lastSince };
    const displaced = rivals.map((rival) => this.displace(rival, opened));
    this.put(opened);
    return { since: opened.since, displaced };
  }

  async close(userId: string, sessionId: string): Promise<void> {
    const key = keyOf({ userId, sessionId });
    const session = this.leases.get(key);
    if (session !== undefined) this.drop(session);
    this.displaced.delete(key);
  }

  async leave(userId: string, sessionId: string): Promise<void> {
    const key = keyOf({ userId, sessionId });
    const session = this.leases.get(key);
    if (session === undefined) return;
    this.leases.put(key, session);
    this.left.add(key);
  }

  async renew(sessions: readonly SessionRecord[], policy: DevicePolicy): Promise<Displaced[]> {
    this.dropEnded();
    return sessions.flatMap((session) => this.renewOne(session, policy));
  }

  async sessionsOf(userId: string): Promise<SessionRecord[]> {
    this.dropEnded();
    return [...(this.users.get(userId)?.values() ?? [])];
  }

  async reap(): Promise<SessionRecord[]> {
    this.dropEnded();
    const ended = this.ended.filter((session) => this.leases.get(keyOf(session)) === undefined);
    this.ended = [];
    return ended;
  }

  async count(): Promise<{ sessions: number; users: number }> {
    this.dropEnded();
    return { sessions: this.leases.size, users: this.users.size };
  }

  private renewOne(session: SessionRecord, policy: DevicePolicy): Displaced[] {
    const key = keyOf(session);
    const known = this.leases.get(key);
    if (known !== undefined) {
      this.leases.put(key, known);
      return [];
    }
    const rivals = this.rivalsOf(session, policy);
    const by = this.displaced.get(key) ?? rivals.find(({ since }) => since >= session.since);
    if (by !== undefined) {
      this.displaced.put(key, by);
      return [{ session, by }];
    }
    const displaced = rivals.map((rival) => this.displace(rival, session));
    this.lastSince = Math.max(this.lastSince, session.since);
    this.put(session);
    return displaced;
  }

  /** The sessions of the same user that the policy does not let stand beside this one. */
  private rivalsOf({ userId, sessionId, platform }: NewSession, policy: DevicePolicy): SessionRecord[] {
    if (policy === 'multi') return [];
    return [...(this.users.get(userId)?.values() ?? [])].filter(
      (other) =>
        other.sessionId !== sessionId &&
        !this.left.has(keyOf(other)) &&
        (policy === 'single' || other.platform === platform),
    );
  }

  private leftOf(userId: string): SessionRecord[] {
    if (this.left.size === 0) return [];
    return [...(this.users.get(userId)?.values() ?? [])].filter((each) => this.left.has(keyOf(each)));
  }

  private displace(session: SessionRecord, by: SessionRecord): Displaced {
    this.drop(session);
    this.displaced.put(keyOf(session), by);
    return { session, by };
  }

  private put(session: SessionRecord): void {
    const { userId, sessionId } = session;
    this.leases.put(keyOf(session), session);
    const sessions = this.users.get(userId);
    if (sessions === undefined) this.users.set(userId, new Map([[sessionId, session]]));
    else sessions.set(sessionId, session);
  }

  private drop(session: SessionRecord): void {
    const { userId, sessionId } = session;
    this.leases.delete(keyOf(session));
    this.left.delete(keyOf(session));
    const sessions = this.users.get(userId);
    sessions?.delete(sessionId);
    if (sessions?.size === 0) this.users.delete(userId);
  }

  private dropEnded(): void {
    this.displaced.takeEnded();
    for (const session of this.leases.takeEnded()) {
      this.drop(session);
      this.ended.push(session);
    }
  }
}

/** Different for different sessions, whatever characters their ids hold. */
function keyOf({ userId, sessionId }: Pick<SessionRecord, 'userId' | 'sessionId'>): string {
  return `${userId.length} ${userId}${sessionId}`;
}
