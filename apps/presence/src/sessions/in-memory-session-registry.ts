import type { SessionRecord } from '@starling/bus';
import type { SessionRegistry } from './session-registry.js';

interface Lease {
  readonly session: SessionRecord;
  /** By the monotonic clock: setting the wall clock ends no session. */
  readonly endsAt: number;
}

/** Sessions of one process. Each method runs in one go, so none sees another's half-done change. */
export class InMemorySessionRegistry implements SessionRegistry {
  private readonly users = new Map<string, Map<string, Lease>>();
  /** All leases, the one that ends first in front: all last equally long, so renewing moves one to the end. */
  private readonly leases = new Set<Lease>();
  /** Dropped by whoever came first, to be answered by the next reap. */
  private ended: SessionRecord[] = [];

  constructor(private readonly leaseMs: number) {}

  async open(session: SessionRecord, maxSessions: number): Promise<boolean> {
    this.dropEnded();
    const sessions = this.users.get(session.userId);
    if (!sessions?.has(session.sessionId) && (sessions?.size ?? 0) >= maxSessions) return false;
    this.put(session);
    return true;
  }

  async close(userId: string, sessionId: string): Promise<void> {
    const lease = this.users.get(userId)?.get(sessionId);
    if (lease) this.drop(lease);
  }

  async renew(sessions: readonly SessionRecord[]): Promise<void> {
    for (const session of sessions) this.put(session);
  }

  async sessionsOf(userId: string): Promise<SessionRecord[]> {
    this.dropEnded();
    return [...(this.users.get(userId)?.values() ?? [])].map((lease) => lease.session);
  }

  async reap(): Promise<SessionRecord[]> {
    this.dropEnded();
    const ended = this.ended.filter(({ userId, sessionId }) => !this.users.get(userId)?.has(sessionId));
    this.ended = [];
    return ended;
  }

  async count(): Promise<{ sessions: number; users: number }> {
    this.dropEnded();
    return { sessions: this.leases.size, users: this.users.size };
  }

  private put(session: SessionRecord): void {
    const { userId, sessionId } = session;
    const sessions = this.users.get(userId) ?? new Map<string, Lease>();
    const known = sessions.get(sessionId);
    if (known) this.leases.delete(known);
    const lease = { session: known?.session ?? session, endsAt: performance.now() + this.leaseMs };
    this.leases.add(lease);
    sessions.set(sessionId, lease);
    this.users.set(userId, sessions);
  }

  private drop(lease: Lease): void {
    const { userId, sessionId } = lease.session;
    this.leases.delete(lease);
    const sessions = this.users.get(userId);
    sessions?.delete(sessionId);
    if (sessions?.size === 0) this.users.delete(userId);
  }

  private dropEnded(): void {
    const now = performance.now();
    for (const lease of this.leases) {
      if (lease.endsAt > now) return;
      this.drop(lease);
      this.ended.push(lease.session);
    }
  }
}
