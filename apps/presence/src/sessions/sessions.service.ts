import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { DevicePolicy, DisplacedSession, NewSession, SessionRecord } from '@starling/bus';
import { CONFIG, type Config } from '@starling/config';
import { LOGGER } from '@starling/observability';
import { Refusal, type CloseReasonName } from '@starling/protocol';
import { ROOM_EMITTER, userRoom, type RoomEmitter } from '@starling/rooms';
import type { Logger } from 'pino';
import {
  SESSION_REGISTRY,
  type Displaced,
  type LoginRules,
  type SessionRegistry,
} from './session-registry.js';

/** Sessions come and go by what gateways say; those of a gateway that fell silent are reaped. */
@Injectable()
export class SessionsService implements OnModuleInit, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private reaping: Promise<void> = Promise.resolve();

  constructor(
    @Inject(SESSION_REGISTRY) private readonly registry: SessionRegistry,
    @Inject(ROOM_EMITTER) private readonly rooms: RoomEmitter,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** A sixth of a lease: the clock by which leases end in Redis goes on by no more between two looks at it. */
  onModuleInit(): void {
    this.timer = setInterval(() => {
      this.reaping = this.reap();
    }, this.config.SESSION_LEASE_MS / 6);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.reaping;
  }

  /** Answers since when the session is. Refusal: TOO_MANY_CONNECTIONS. */
  async open(session: NewSession, rules: LoginRules): Promise<number> {
    const opened = await this.registry.open(session, rules);
    if (opened === null) throw new Refusal('TOO_MANY_CONNECTIONS');
    for (const displaced of opened.displaced) this.tellGateway(displaced);
    return opened.since;
  }

  close(userId: string, sessionId: string): Promise<void> {
    return this.registry.close(userId, sessionId);
  }

  leave(userId: string, sessionId: string): Promise<void> {
    return this.registry.leave(userId, sessionId);
  }

  /** Answers the gateway's own that are displaced. */
  async renew(
    gatewayId: string,
    sessions: readonly SessionRecord[],
    policy: DevicePolicy,
  ): Promise<DisplacedSession[]> {
    const displaced = await this.registry.renew(sessions, policy);
    const [own = [], others = []] = [true, false].map((mine) =>
      displaced.filter(({ session }) => (session.gatewayId === gatewayId) === mine),
    );
    for (const each of others) this.tellGateway(each);
    return own.map((each) => ({ sessionId: each.session.sessionId, reason: reasonOf(each) }));
  }

  sessionsOf(userId: string): Promise<SessionRecord[]> {
    return this.registry.sessionsOf(userId);
  }

  /** At once, though only the gateway's next renewal is certain to tell it. */
  private tellGateway(displaced: Displaced): void {
    const { userId, sessionId } = displaced.session;
    this.rooms.emit(userRoom(userId), { kind: 'close', sessionId, reason: reasonOf(displaced) });
  }

  private async reap(): Promise<void> {
    try {
      const ended = await this.registry.reap();
      const gateways = Map.groupBy(ended, (session) => session.gatewayId);
      for (const [gatewayId, sessions] of gateways) {
        this.logger.warn({ gatewayId, sessions: sessions.length }, 'sessions ended: their gateway is gone');
      }
    } catch (error) {
      this.logger.error({ err: error }, 'sessions could not be reaped');
    }
  }
}

/** A device that logged in again is mostly one client that lost its connection, and is told of no other device. */
function reasonOf({ session, by }: Displaced): CloseReasonName {
  return session.device !== null && session.device === by.device ? 'SUPERSEDED' : 'DISPLACED';
}
