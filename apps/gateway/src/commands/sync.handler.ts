import { Inject, Injectable } from '@nestjs/common';
import {
  MessageStoreRequest,
  REQUEST_CLIENT,
  type RequestClient,
  type SyncedConversation,
} from '@starling/bus';
import { CONFIG, type Config } from '@starling/config';
import {
  ChatType,
  Command,
  conversationOf,
  MESSAGES_PER_ANSWER,
  parseConversation,
  type ConversationKey,
  type SyncRequest,
} from '@starling/protocol';
import type { ReceivedPacket } from '../connection/received-packet.js';
import type { Session } from '../connection/session.js';
import { GatewayMembership } from '../membership/gateway-membership.js';
import { AnswerBudget } from './answer-budget.js';
import type { CommandHandler } from './command-handler.js';
import { syncAnswer, type Address } from './packet-mapper.js';

@Injectable()
export class SyncHandler implements CommandHandler<SyncRequest> {
  readonly command = Command.Sync;
  readonly lane = 'read';

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(REQUEST_CLIENT) private readonly services: RequestClient,
    private readonly membership: GatewayMembership,
  ) {}

  async handle(received: ReceivedPacket, packet: SyncRequest, session: Session): Promise<undefined> {
    const { userId } = session;
    session.syncs = true;
    const groupIds = this.membership.groupsOf(userId);
    const { known, removed } = sorted(userId, packet, new Set(groupIds));
    const page = await this.services.request(MessageStoreRequest.sync, {
      userId,
      groupIds,
      known,
      limit: packet.limit ?? MESSAGES_PER_ANSWER.byDefault,
      cursor: packet.cursor ?? null,
    });
    const budget = new AnswerBudget(this.config);
    const conversations = page.conversations
      .filter(({ conversation }) => this.isStillTheirs(userId, conversation))
      .map((synced) => shortened(synced, budget));
    received.answer(syncAnswer(userId, { conversations, removed, cursor: page.cursor }));
  }

  /** The store was asked while the user might have been removed. */
  private isStillTheirs(userId: string, key: ConversationKey): boolean {
    const conversation = parseConversation(key);
    return conversation.kind === 'private' || this.membership.isMember(userId, conversation.groupId);
  }
}

/** What the client knows, split into what is still the user's and what is not. */
function sorted(userId: string, packet: SyncRequest, groups: ReadonlySet<string>) {
  const known = new Map<ConversationKey, number>();
  const removed = new Map<string, Address>();
  for (const { chatType, chatId, seq } of packet.known ?? []) {
    if (chatType === ChatType.Group && !groups.has(chatId)) removed.set(chatId, { chatType, chatId });
    else known.set(conversationOf(userId, chatType, chatId), seq);
  }
  return {
    known: Array.from(known, ([conversation, seq]) => ({ conversation, seq })),
    removed: [...removed.values()],
  };
}

/** A client that finds `more` asks again, with what it has got by then. */
function shortened(synced: SyncedConversation, budget: AnswerBudget): SyncedConversation {
  budget.spend(synced.last);
  const missing = [...budget.oldest(synced.missing)];
  return { ...synced, missing, more: synced.more || missing.length < synced.missing.length };
}
