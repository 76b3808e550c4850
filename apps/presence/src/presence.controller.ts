import { Controller, UseFilters } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { PresenceRequest, RefusalFilter, type DisplacedSession, type SessionRecord } from '@starling/bus';
import { parsePayload, PresencePayload } from './presence.payloads.js';
import { SessionsService } from './sessions/sessions.service.js';
import { UsersService } from './users/users.service.js';

/** The requests of `presence.requests.ts`; they come from other services, so nothing in them is believed yet. */
@Controller()
@UseFilters(RefusalFilter)
export class PresenceController {
  constructor(
    private readonly sessions: SessionsService,
    private readonly users: UsersService,
  ) {}

  @MessagePattern(PresenceRequest.open.name)
  async open(@Payload() payload: unknown): Promise<{ since: number }> {
    const { session, ...rules } = parsePayload(PresencePayload.open, payload);
    // Known first: a session must not be there while its user could still be forgotten by a crash.
    await this.users.makeKnown(session.userId);
    return { since: await this.sessions.open(session, rules) };
  }

  @MessagePattern(PresenceRequest.close.name)
  async close(@Payload() payload: unknown): Promise<Record<string, never>> {
    const { userId, sessionId } = parsePayload(PresencePayload.close, payload);
    await this.sessions.close(userId, sessionId);
    return {};
  }

  @MessagePattern(PresenceRequest.leave.name)
  async leave(@Payload() payload: unknown): Promise<Record<string, never>> {
    const { userId, sessionId } = parsePayload(PresencePayload.leave, payload);
    await this.sessions.leave(userId, sessionId);
    return {};
  }

  @MessagePattern(PresenceRequest.renew.name)
  async renew(@Payload() payload: unknown): Promise<{ displaced: DisplacedSession[] }> {
    const { gatewayId, sessions, policy } = parsePayload(PresencePayload.renew, payload);
    return { displaced: await this.sessions.renew(gatewayId, sessions, policy) };
  }

  @MessagePattern(PresenceRequest.sessions.name)
  async sessionsOf(@Payload() payload: unknown): Promise<{ sessions: SessionRecord[] }> {
    const { userId } = parsePayload(PresencePayload.sessions, payload);
    return { sessions: await this.sessions.sessionsOf(userId) };
  }

  @MessagePattern(PresenceRequest.knowsUser.name)
  async knowsUser(@Payload() payload: unknown): Promise<{ known: boolean }> {
    const { userId } = parsePayload(PresencePayload.knowsUser, payload);
    return { known: await this.users.knows(userId) };
  }

  @MessagePattern(PresenceRequest.createUser.name)
  async createUser(@Payload() payload: unknown): Promise<{ created: boolean }> {
    const { userId } = parsePayload(PresencePayload.createUser, payload);
    return { created: await this.users.makeKnown(userId) };
  }
}
