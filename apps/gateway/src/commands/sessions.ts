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

export interface Login {
  readonly userId: string;
  readonly device: string | null;
  readonly pushes: boolean;
}

/** Binds users to connections and frees them again, and keeps presence told of it. */
@Injectable()
export class Sessions implements OnModuleInit, OnModuleDestroy {
  private readonly records = new Map<ClientConnection, SessionRecord>();
  private opened = 0;
  private renewTimer: NodeJS.Timeout | undefined;
  private renewing = false;

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
    this.renewTimer = setInterval(() => void this.renew(), this.config.SESSION_LEASE_MS / 3);
  }

  onModuleDestroy(): void {
    clearInterval(this.renewTimer);
  }

  /**
   * Makes the connection the user's: known to presence, in the user's rooms. Messages flow from the call of the
   * result on, which belongs right after the answer. When it rejects (a Refusal), nothing has changed.
   */
  async open(connection: ClientConnection, { userId, device, pushes }: Login): Promise<() => void> {
    const sessionId = `${connection.id}.${(++this.opened).toString(36)}`;
    const record = { sessionId, userId, device, gatewayId: this.instance.id, since: Date.now() };
    await this.services.request(PresenceRequest.open, {
      session: record,
      maxSessions: this.config.MAX_CONNECTIONS_PER_USER,
    });
    this.records.set(connection, record);
    connection.session = { sessionId, userId, device, since: record.since, pushes, syncs: false };
    this.connections.bound(connection, userId);
    try {
      await this.membership.bind(connection);
      return await this.replay.arrive(connection);
    } catch (error) {
      await this.close(connection, false);
      throw error;
    }
  }

  /** Harmless without a session. `clean`: the user logged out, or the client said goodbye. Never rejects. */
  async close(connection: ClientConnection, clean: boolean): Promise<void> {
    const { session } = connection;
    if (session === null) return;
    this.replay.ended(connection, clean);
    this.membership.unbind(connection);
    this.connections.unbound(connection, session.userId);
    this.records.delete(connection);
    connection.session = null;
    try {
      const { sessionId, userId } = session;
      await this.services.request(PresenceRequest.close, { sessionId, userId });
    } catch (error) {
      // Its lease ends by itself.
      this.logger.warn(
        { err: error, session: session.sessionId },
        'presence was not told of a closed session',
      );
    }
  }

  private async renew(): Promise<void> {
    if (this.renewing || this.records.size === 0) return;
    this.renewing = true;
    try {
      const sessions = [...this.records.values()];
      await this.services.request(PresenceRequest.renew, { gatewayId: this.instance.id, sessions });
    } catch (error) {
      this.logger.warn({ err: error }, 'the leases of this gateway’s sessions were not renewed');
    } finally {
      this.renewing = false;
    }
  }
}
