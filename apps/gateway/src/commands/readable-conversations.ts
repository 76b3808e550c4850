import { Injectable } from '@nestjs/common';
import { ChatType, Refusal } from '@starling/protocol';
import { GatewayMembership } from '../membership/gateway-membership.js';
import type { Address } from './packet-mapper.js';

/**
 * What a user may read: groups they are a member of now. A private conversation is addressed by the other user, so
 * the reader is one of the two whatever the packet says.
 */
@Injectable()
export class ReadableConversations {
  constructor(private readonly membership: GatewayMembership) {}

  /** Refuses with NOT_A_MEMBER. */
  mustBeReadable(userId: string, { chatType, chatId }: Address): void {
    if (chatType === ChatType.Group && !this.membership.isMember(userId, chatId))
      throw new Refusal('NOT_A_MEMBER');
  }
}
