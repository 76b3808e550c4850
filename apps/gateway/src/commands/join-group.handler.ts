import { Inject, Injectable } from '@nestjs/common';
import { GroupsRequest, PresenceRequest, REQUEST_CLIENT, type RequestClient } from '@starling/bus';
import { CONFIG, type Config } from '@starling/config';
import { ChatType, Command, Refusal, type JoinGroupRequest } from '@starling/protocol';
import type { Connection } from '../connection/connection.js';
import type { ReceivedPacket } from '../connection/received-packet.js';
import type { Session } from '../connection/session.js';
import { GatewayMembership } from '../membership/gateway-membership.js';
import { mustBeBoundUser } from './bound-user.js';
import type { CommandHandler } from './command-handler.js';
import { succeeded } from './packet-mapper.js';

interface Joiner {
  readonly connection: Connection;
  readonly userId: string;
}

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
    mustBeBoundUser(session, packet.userId);
    const joiner = { connection: received.connection, userId: session.userId };
    if (chatType === ChatType.Group) await this.joinGroup(joiner, chatId);
    else await this.openChat(joiner, chatId);
    received.answer(succeeded(Command.JoinGroupAnswer, { chatId }));
  }

  /** webim.js joins at every opening of a chat, so a member's join ends here. */
  private async joinGroup(joiner: Joiner, groupId: string): Promise<void> {
    if (this.membership.isMember(joiner.userId, groupId)) return;
    await this.join(joiner, groupId, this.config.GROUPS_AUTO_CREATE);
  }

  /** A private chat needs no membership; but what clients open as one may be a group (see JOIN_UNKNOWN). */
  private async openChat(joiner: Joiner, chatId: string): Promise<void> {
    const { known } = await this.services.request(PresenceRequest.knowsUser, { userId: chatId });
    if (known) return;
    if (this.config.JOIN_UNKNOWN === 'group') return this.joinGroup(joiner, chatId);
    try {
      await this.join(joiner, chatId, false);
    } catch (error) {
      if (!(error instanceof Refusal) || error.error !== 'GROUP_NOT_FOUND') throw error;
    }
  }

  /** Resolves when the client's next packet will find the group joined. */
  private join({ connection, userId }: Joiner, groupId: string, createIfMissing: boolean): Promise<void> {
    return this.membership.join(connection, groupId, () =>
      this.services.request(GroupsRequest.join, { groupId, userId, createIfMissing }),
    );
  }
}
