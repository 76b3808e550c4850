/** Values that a trace shows beside a span. Never a message's content, a token, or who wrote to whom. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface SpanStart {
  /** `traceparent` of the span that it is a part of; null begins a trace. */
  readonly parent: string | null;
  /** What it does towards its parent: answers a client, hands over to other processes, or takes over from them. */
  readonly role: 'server' | 'producer' | 'consumer' | 'internal';
  /** `traceparent`s of spans that it belongs to without being a part of them. */
  readonly links?: readonly string[];
  readonly attributes?: SpanAttributes;
  /** By `performance.now()`; now, if absent. */
  readonly startedAt?: number;
}

/** A piece of work that is under way. */
export interface Span {
  /** W3C trace context, to be handed on to whatever is a part of it, in other processes too. */
  readonly traceparent: string;
  /** Once. `error` when it failed: the name of an error code, never text of a client. */
  end(attributes?: SpanAttributes, error?: string | null): void;
}

/**
 * Where spans go. Who has none (`Tracer | null`, null is the default) does not so much as ask for a span, so that
 * messages cost nothing more.
 */
export interface Tracer {
  /** Null when the trace is not recorded, by choice of its beginning: then nothing of it is, in no process. */
  start(name: string, start: SpanStart): Span | null;
  /** Sends what has ended. Never rejects. */
  shutdown(): Promise<void>;
}

/** A `Tracer`, or null while traces are off. */
export const TRACER = Symbol('Tracer');
