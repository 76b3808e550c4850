import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { SessionRecord } from '@starling/bus';
import { CONFIG, type Config } from '@starling/config';
import { LOGGER } from '@starling/observability';
import { Refusal } from '@starling/protocol';
import type { Logger } from 'pino';
import { SESSION_REGISTRY, type SessionRegistry } from './session-registry.js';

/** Sessions come and go by what gateways say; those of a gateway that fell silent are reaped. */
@Injectable()
export class SessionsService implements OnModuleInit, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private reaping: Promise<void> = Promise.resolve();

  constructor(
    @Inject(SESSION_REGISTRY) private readonly registry: SessionRegistry,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onModuleInit(): void {
    this.timer = setInterval(() => {
      this.reaping = this.reap();
    }, this.config.SESSION_LEASE_MS / 3);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.reaping;
  }

  /** Refusal: TOO_MANY_CONNECTIONS. */
  async open(session: SessionRecord, maxSessions: number): Promise<void> {
    if (!(await this.registry.open(session, maxSessions))) throw new Refusal('TOO_MANY_CONNECTIONS');
  }

  close(userId: string, sessionId: string): Promise<void> {
    return this.registry.close(userId, sessionId);
  }

  renew(sessions: readonly SessionRecord[]): Promise<void> {
    return this.registry.renew(sessions);
  }

  sessionsOf(userId: string): Promise<SessionRecord[]> {
    return this.registry.sessionsOf(userId);
  }

  private async reap(): Promise<void> {
    try {
      const ended = await this.registry.reap();
      const gateways = Map.groupBy(ended, (session) => session.gatewayId);
      for (const [gatewayId, sessions] of gateways) {
        this.logger.warn(
          { gatewayId, sessions: sessions.length },
          'sessions ended: their gateway fell silent',
        );
      }
    } catch (error) {
      this.logger.error({ err: error }, 'sessions could not be reaped');
    }
  }
}
