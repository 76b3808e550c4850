import { Inject, Injectable } from '@nestjs/common';
import { SUBMIT_PUBLISHER, type Submit, type SubmitOutcome, type SubmitPublisher } from '@starling/bus';
import { CONFIG, type Config } from '@starling/config';
import { TRACER, type Tracer } from '@starling/observability';
import {
  ChatType,
  Command,
  messageFields,
  Refusal,
  refusalAnswer,
  unstoredAnswerText,
  type ErrorName,
  type SendMessageRequest,
} from '@starling/protocol';
import { GatewayInstance } from '../connection/gateway-instance.js';
import { GatewayMetrics } from '../connection/gateway-metrics.js';
import type { ReceivedPacket } from '../connection/received-packet.js';
import type { Session } from '../connection/session.js';
import { Feed } from '../feed/feed.js';
import { GatewayMembership } from '../membership/gateway-membership.js';
import { mustBeBoundUser } from './bound-user.js';
import type { CommandHandler } from './command-handler.js';
import { MessageSpans } from './message-spans.js';
import { acknowledgement, submitOf } from './packet-mapper.js';

@Injectable()
export class SendMessageHandler implements CommandHandler<SendMessageRequest> {
  readonly command = Command.SendMessage;
  readonly lane = 'submit';

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(SUBMIT_PUBLISHER) private readonly publisher: SubmitPublisher,
    @Inject(TRACER) private readonly tracer: Tracer | null,
    private readonly instance: GatewayInstance,
    private readonly metrics: GatewayMetrics,
    private readonly membership: GatewayMembership,
    private readonly feed: Feed,
  ) {
    metrics.watchUnansweredSubmits(() => publisher.unanswered);
  }

  /** Submits before the first await, so that messages of one connection are submitted in the order they came. */
  async handle(
    received: ReceivedPacket,
    packet: SendMessageRequest,
    session: Session,
  ): Promise<ErrorName | undefined> {
    const { connection } = received;
    const { userId } = session;
    mustBeBoundUser(session, packet.fromUserId, packet.userId);
    const membershipVersion = this.membershipVersion(packet, userId);
    // How webim.js arms its listener: a message that goes nowhere.
    if (packet.content === '') {
      received.answer(unstoredAnswerText(messageFields(packet, userId)));
      return;
    }
    const messageId = this.instance.nextMessageId();
    const spans = MessageSpans.begin(this.tracer, received, messageId);
    const submit = submitOf(packet, userId, {
      messageId,
      membershipVersion,
      partitions: this.config.PARTITIONS,
      traceparent: spans?.traceparent,
    });
    this.feed.submitting(connection, messageId);
    const outcome = await this.publisher.submit(submit);
    spans?.submitted(outcome);
    const error = this.answer(received, packet, submit, outcome, userId);
    spans?.answered();
    return error;
  }

  private answer(
    received: ReceivedPacket,
    packet: SendMessageRequest,
    submit: Submit,
    outcome: SubmitOutcome,
    userId: string,
  ): ErrorName | undefined {
    const { connection } = received;
    if (outcome.kind === 'stored') {
      received.answer(acknowledgement(submit, outcome));
      this.metrics.ackSeconds.observe((performance.now() - received.receivedAt) / 1000);
      const { seq, messageId } = outcome;
      this.feed.answered(connection, submit.messageId, { conversation: submit.conversation, seq, messageId });
      return;
    }
    const refusal = new Refusal(outcome.kind === 'refused' ? outcome.error : 'OUTCOME_UNKNOWN');
    received.answer(refusalAnswer(refusal, packet, userId));
    this.feed.answered(connection, submit.messageId, null);
    return refusal.error;
  }

  private membershipVersion({ chatType, toUserId }: SendMessageRequest, userId: string): number {
    if (chatType === ChatType.Private) return 0;
    if (!this.membership.isMember(userId, toUserId)) throw new Refusal('NOT_A_MEMBER');
    return this.membership.versionOf(userId, toUserId);
  }
}
