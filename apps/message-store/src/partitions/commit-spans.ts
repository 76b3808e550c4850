import type { ReceivedSubmit, SubmitOutcome } from '@starling/bus';
import type { Span, Tracer } from '@starling/observability';

/** By message id, the trace context that its emit is a part of; of messages whose traces are recorded. */
export type CommittedTraces = ReadonlyMap<string, string>;

/**
 * The spans of one batch: `commit` for each submit, as a part of that one's trace, and `commit batch`, linked to all of
 * them, in the trace of the first.
 */
export class CommitSpans {
  private constructor(
    private readonly batch: Span,
    /** By the place of the submit in the batch. */
    private readonly commits: ReadonlyMap<number, Span>,
    private readonly size: number,
  ) {}

  /** Null while traces are off, and where none of the submits is of a trace that is recorded. */
  static begin(tracer: Tracer | null, submits: readonly ReceivedSubmit[]): CommitSpans | null {
    if (tracer === null) return null;
    const parents = submits.map(({ submit }) => submit.traceparent);
    const links = parents.filter((parent) => typeof parent === 'string');
    const [first] = links;
    if (first === undefined) return null;
    const batch = tracer.start('commit batch', { parent: first, role: 'internal', links });
    if (batch === null) return null;
    const commits = new Map<number, Span>();
    parents.forEach((parent, index) => {
      if (typeof parent !== 'string') return;
      const span = tracer.start('commit', { parent, role: 'consumer', links: [batch.traceparent] });
      if (span !== null) commits.set(index, span);
    });
    return new CommitSpans(batch, commits, submits.length);
  }

  /** `outcomes` in the order of the submits. */
  committed(outcomes: readonly SubmitOutcome[]): CommittedTraces {
    const traces = new Map<string, string>();
    for (const [index, span] of this.commits) {
      const outcome = outcomes[index];
      if (outcome?.kind === 'stored') {
        if (!outcome.duplicate) traces.set(outcome.messageId, span.traceparent);
        span.end({ 'starling.message_id': outcome.messageId, 'starling.duplicate': outcome.duplicate });
      } else {
        span.end({}, outcome?.kind === 'refused' ? outcome.error : 'OUTCOME_UNKNOWN');
      }
    }
    this.batch.end({ 'starling.submits': this.size });
    return traces;
  }

  /** It was given up, or is tried again in parts. */
  failed(error: string): void {
    for (const span of this.commits.values()) span.end({}, error);
    this.batch.end({ 'starling.submits': this.size }, error);
  }
}
