import { Inject, Injectable } from '@nestjs/common';
import { MessageStoreRequest, REQUEST_CLIENT, type RequestClient } from '@starling/bus';
import { CONFIG, type Config } from '@starling/config';
import { Command, conversationOf, MESSAGES_PER_ANSWER, type HistoryRequest } from '@starling/protocol';
import type { ReceivedPacket } from '../connection/received-packet.js';
import type { Session } from '../connection/session.js';
import { AnswerBudget } from './answer-budget.js';
import type { CommandHandler } from './command-handler.js';
import { historyAnswer } from './packet-mapper.js';
import { ReadableConversations } from './readable-conversations.js';

@Injectable()
export class HistoryHandler implements CommandHandler<HistoryRequest> {
  readonly command = Command.History;
  readonly lane = 'read';

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(REQUEST_CLIENT) private readonly services: RequestClient,
    private readonly readable: ReadableConversations,
  ) {}

  async handle(received: ReceivedPacket, packet: HistoryRequest, session: Session): Promise<undefined> {
    const { chatType, chatId } = packet;
    const { userId } = session;
    session.syncs = true;
    this.readable.mustBeReadable(userId, packet);
    const after = packet.after ?? null;
    const page = await this.services.request(MessageStoreRequest.history, {
      conversation: conversationOf(userId, chatType, chatId),
      before: packet.before ?? null,
      after,
      limit: packet.limit ?? MESSAGES_PER_ANSWER.byDefault,
    });
    // The store was asked while the user might have been removed.
    this.readable.mustBeReadable(userId, packet);
    const budget = new AnswerBudget(this.config);
    const messages = after !== null ? budget.oldest(page.messages) : budget.newest(page.messages);
    const more = page.more || messages.length < page.messages.length;
    received.answer(historyAnswer({ chatType, chatId }, userId, { messages, more, head: page.head }));
  }
}
