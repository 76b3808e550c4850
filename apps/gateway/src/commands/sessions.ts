import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { PresenceRequest, REQUEST_CLIENT, type RequestClient, type SessionRecord } from '@starling/bus';
import { CONFIG, type Config } from '@starling/config';
import { LOGGER } from '@starling/observability';
import type { Logger } from 'pino';
import type { ClientConnection } from '../connection/client-connection.js';
import { Connections } from '../connection/connections.js';
import { GatewayInstance } from '../connection/gateway-instance.js';
import { GatewayMembership } from '../membership/gateway-membership.js';
import { Replay } from '../replay/replay.js';

/** Sessions renewed by one request: with the longest ids of the default limits it stays below what NATS carries, 1 MiB. */
const RENEWED_AT_ONCE = 500;

/** A renewal is due each third of a lease, and one that failed is tried again after a twelfth. */
const TICKS_A_LEASE = 12;
const TICKS_A_RENEWAL = 4;

type Ending = typeof PresenceRequest.close | typeof PresenceRequest.leave;

export interface Login {
  readonly userId: string;
  readonly device: string | null;
  readonly platform: string | null;
  readonly pushes: boolean;
}

/** Binds users to connections and frees them again, and keeps presence told of it. */
@Injectable()
export class Sessions implements OnModuleInit, OnModuleDestroy {
  private readonly records = new Map<ClientConnection, SessionRecord>();
  /** Sessions that ended because this gateway stops. */
  private readonly left = new Set<string>();
  private opened = 0;
  private renewTimer: NodeJS.Timeout | undefined;
  private ticks = 0;
  /** Since the last renewal failed. */
  private isOverdue = false;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(REQUEST_CLIENT) private readonly services: RequestClient,
    private readonly instance: GatewayInstance,
    private readonly connections: Connections,
    private readonly membership: GatewayMembership,
    private readonly replay: Replay,
  ) {}

  onModuleInit(): void {
    this.renewTimer = setInterval(() => {
      this.ticks += 1;
      if (this.isOverdue || this.ticks % TICKS_A_RENEWAL === 0) void this.renew();
    }, this.config.SESSION_LEASE_MS / TICKS_A_LEASE);
  }

  onModuleDestroy(): void {
    clearInterval(this.renewTimer);
  }

  /**
   * Tells presence of all sessions here: where they were lost they are there again, and what is displaced without a
   * word of it having come is closed. Not held up by an earlier one that is not answered, since its presence service
   * may have died, and leases be shorter than the time until that is certain. Never rejects.
   */
  async renew(): Promise<void> {
    const connections = [...this.records.keys()];
    try {
      for (let i = 0; i < connections.length; i += RENEWED_AT_ONCE) {
        const batch = connections.slice(i, i + RENEWED_AT_ONCE);
        const stillHere = batch.flatMap((connection) => this.records.get(connection) ?? []);
        if (stillHere.length > 0) await this.renewLeases(stillHere);
      }
      if (this.isOverdue) this.logger.info('the leases of this gateway’s sessions are renewed again');
      this.isOverdue = false;
    } catch (error) {
      if (!this.isOverdue)
        this.logger.warn(
          { err: error },
          'the leases of this gateway’s sessions are not renewed; trying again',
        );
      this.isOverdue = true;
    }
  }

  /**
   * Makes the connection the user's: known to presence, in the user's rooms. Messages flow from the call of the
   * result on, which belongs right after the answer. When it rejects (a Refusal), nothing has changed.
   */
  async open(connection: ClientConnection, { userId, device, platform, pushes }: Login): Promise<() => void> {
    const { DEVICE_POLICY: policy, MAX_CONNECTIONS_PER_USER: maxSessions } = this.config;
    const sessionId = `${connection.id}.${(++this.opened).toString(36)}`;
    const session = { sessionId, userId, device, platform, gatewayId: this.instance.id };
    const { since } = await this.services.request(PresenceRequest.open, { session, maxSessions, policy });
    const record = { ...session, since };
    this.records.set(connection, record);
    connection.session = { sessionId, userId, device, since, pushes, syncs: false };
    this.connections.bound(connection, userId);
    try {
      await this.membership.bind(connection);
      // The word that a login elsewhere displaced this one reaches it only since it is in the user's room.
      if (policy !== 'multi') await this.renewLeases([record]);
      return await this.replay.arrive(connection);
    } catch (error) {
      await this.close(connection, false);
      throw error;
    }
  }

  /** Harmless without a session. `clean`: the user logged out, or the client said goodbye. Never rejects. */
  async close(connection: ClientConnection, clean: boolean): Promise<void> {
    await this.end(connection, clean, PresenceRequest.close);
  }

  /**
   * The connection has ended. Whoever was told to come back to another gateway stays shown until then. Harmless without
   * a session. Never rejects.
   */
  async ended(connection: ClientConnection, clean: boolean): Promise<void> {
    if (!connection.isToComeBack) return this.close(connection, clean);
    if (connection.session !== null) this.left.add(connection.session.sessionId);
    await this.end(connection, clean, PresenceRequest.leave);
  }

  private async end(connection: ClientConnection, clean: boolean, ending: Ending): Promise<void> {
    const { session } = connection;
    if (session === null) return;
    this.replay.ended(connection, clean);
    this.membership.unbind(connection);
    this.connections.unbound(connection, session.userId);
    this.records.delete(connection);
    connection.session = null;
    await this.tell(ending, session.sessionId, session.userId);
  }

  /** Never rejects. */
  private async tell(ending: Ending, sessionId: string, userId: string): Promise<void> {
    try {
      await this.services.request(ending, { sessionId, userId });
    } catch (error) {
      // Its lease ends by itself.
      this.logger.warn({ err: error, session: sessionId }, 'presence was not told of a closed session');
    }
  }

  /** And closes the connections of those that turn out to be displaced. */
  private async renewLeases(sessions: SessionRecord[]): Promise<void> {
    const { displaced } = await this.services.request(PresenceRequest.renew, {
      gatewayId: this.instance.id,
      sessions,
      policy: this.config.DEVICE_POLICY,
    });
    // Closed while it was under way, which may have overtaken it: then the renewal has opened the session again.
    const isOpen = new Set([...this.records.values()].map(({ sessionId }) => sessionId));
    for (const { sessionId, userId } of sessions) {
      if (!isOpen.has(sessionId) && !this.left.has(sessionId))
        void this.tell(PresenceRequest.close, sessionId, userId);
    }
    if (displaced.length === 0) return;
    const reasons = new Map(displaced.map(({ sessionId, reason }) => [sessionId, reason]));
    for (const [connection, { sessionId }] of this.records) {
      const reason = reasons.get(sessionId);
      if (reason !== undefined) connection.close(reason);
    }
  }
}
