import type { SubmitOutcome } from '@starling/bus';
import type { Span, Tracer } from '@starling/observability';
import type { ReceivedPacket } from '../connection/received-packet.js';

/** The gateway's spans of one message: from the packet to its answer, and, as a part of that, the submit. */
export class MessageSpans {
  private constructor(
    private readonly receive: Span,
    private readonly submit: Span | null,
  ) {}

  /** Null while traces are off, and for messages whose traces are not recorded. */
  static begin(tracer: Tracer | null, received: ReceivedPacket, messageId: string): MessageSpans | null {
    if (tracer === null) return null;
    const receive = tracer.start('receive', {
      parent: null,
      role: 'server',
      startedAt: received.receivedAt,
      attributes: { 'starling.message_id': messageId, 'starling.endpoint': received.connection.endpoint },
    });
    if (receive === null) return null;
    const submit = tracer.start('submit', { parent: receive.traceparent, role: 'producer' });
    return new MessageSpans(receive, submit);
  }

  /** For the submit to take along. */
  get traceparent(): string | undefined {
    return this.submit?.traceparent;
  }

  /** The outcome came; the answer is about to be given. */
  submitted(outcome: SubmitOutcome): void {
    const error =
      outcome.kind === 'refused' ? outcome.error : outcome.kind === 'unknown' ? 'OUTCOME_UNKNOWN' : null;
    this.submit?.end({ 'starling.outcome': outcome.kind }, error);
  }

  answered(): void {
    this.receive.end();
  }
}
