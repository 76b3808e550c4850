import { Inject, Injectable } from '@nestjs/common';
import {
  GroupsRequest,
  PresenceRequest,
  REQUEST_CLIENT,
  type MembershipChange,
  type RequestClient,
} from '@starling/bus';
import { CONFIG, type Config } from '@starling/config';
import { ChatType, Command, Refusal, type JoinGroupRequest } from '@starling/protocol';
import type { ReceivedPacket } from '../connection/received-packet.js';
import type { Session } from '../connection/session.js';
import { GatewayMembership } from '../membership/gateway-membership.js';
import { mustBeBoundUser } from './bound-user.js';
import type { CommandHandler } from './command-handler.js';
import { succeeded } from './packet-mapper.js';

@Injectable()
export class JoinGroupHandler implements CommandHandler<JoinGroupRequest> {
  readonly command = Command.JoinGroup;
  readonly lane = 'state';

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(REQUEST_CLIENT) private readonly services: RequestClient,
    private readonly membership: GatewayMembership,
  ) {}

  async handle(received: ReceivedPacket, packet: JoinGroupRequest, session: Session): Promise<undefined> {
    const { chatId, chatType } = packet;
    const { userId } = session;
    mustBeBoundUser(session, packet.userId);
    const change =
      chatType === ChatType.Group
        ? await this.joinGroup(userId, chatId)
        : await this.openChat(userId, chatId);
    // What the client does next must find the group joined.
    if (change !== null) await this.membership.applied(userId, change);
    received.answer(succeeded(Command.JoinGroupAnswer, { chatId }));
  }

  /** webim.js joins at every opening of a chat, so a member's join ends here. */
  private async joinGroup(userId: string, groupId: string): Promise<MembershipChange | null> {
    if (this.membership.isMember(userId, groupId)) return null;
    return this.join(userId, groupId, this.config.GROUPS_AUTO_CREATE);
  }

  /** A private chat needs no membership; but what clients open as one may be a group (see JOIN_UNKNOWN). */
  private async openChat(userId: string, chatId: string): Promise<MembershipChange | null> {
    const { known } = await this.services.request(PresenceRequest.knowsUser, { userId: chatId });
    if (known) return null;
    if (this.config.JOIN_UNKNOWN === 'group') return this.joinGroup(userId, chatId);
    try {
      return await this.join(userId, chatId, false);
    } catch (error) {
      if (error instanceof Refusal && error.error === 'GROUP_NOT_FOUND') return null;
      throw error;
    }
  }

  private join(userId: string, groupId: string, createIfMissing: boolean): Promise<MembershipChange> {
    return this.services.request(GroupsRequest.join, { groupId, userId, createIfMissing });
  }
}
