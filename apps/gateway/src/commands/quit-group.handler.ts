import { Inject, Injectable } from '@nestjs/common';
import { GroupsRequest, REQUEST_CLIENT, type RequestClient } from '@starling/bus';
import { Command, type QuitGroupRequest } from '@starling/protocol';
import type { ReceivedPacket } from '../connection/received-packet.js';
import type { Session } from '../connection/session.js';
import { GatewayMembership } from '../membership/gateway-membership.js';
import { mustBeBoundUser } from './bound-user.js';
import type { CommandHandler } from './command-handler.js';
import { succeeded } from './packet-mapper.js';

@Injectable()
export class QuitGroupHandler implements CommandHandler<QuitGroupRequest> {
  readonly command = Command.QuitGroup;
  readonly lane = 'state';

  constructor(
    @Inject(REQUEST_CLIENT) private readonly services: RequestClient,
    private readonly membership: GatewayMembership,
  ) {}

  async handle(received: ReceivedPacket, packet: QuitGroupRequest, session: Session): Promise<undefined> {
    const { chatId } = packet;
    const { userId } = session;
    mustBeBoundUser(session, packet.userId);
    const change = await this.services.request(GroupsRequest.quit, { groupId: chatId, userId });
    if (change.changed) await this.membership.applied(userId, change);
    received.answer(succeeded(Command.QuitGroupAnswer, { chatId }));
  }
}
