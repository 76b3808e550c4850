import { setTimeout as sleep } from 'node:timers/promises';
import {
  diag,
  DiagLogLevel,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type DiagLogger,
  type Span as OpenTelemetrySpan,
  type SpanContext,
  type Tracer as OpenTelemetryApi,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';
import { SpanClock } from './span-clock.js';
import type { Span, SpanAttributes, SpanStart, Tracer } from './tracer.js';

export interface OpenTelemetryOptions {
  readonly service: string;
  /** Unique among all processes that ever ran. */
  readonly instance: string;
  /** Base URL of a collector that takes OTLP over HTTP. */
  readonly endpoint: string;
  /** Share of traces that are recorded, 0 to 1. */
  readonly share: number;
}

/** Spans that wait to be sent; more are dropped, so that a slow collector costs no memory. */
const WAITING_MAX = 8192;
const SEND_EVERY_MS = 1000;
const COMPLAIN_EVERY_MS = 60_000;
/** A collector that hangs does not hold up the end of the process for longer. */
const SHUTDOWN_PATIENCE_MS = 2000;

const KINDS: Record<SpanStart['role'], SpanKind> = {
  server: SpanKind.SERVER,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
};

/** Spans by OpenTelemetry's own SDK. Not registered as the process's global one: nothing else is to make spans. */
export class OpenTelemetryTracer implements Tracer {
  private readonly provider: TracerProvider;
  private readonly api: OpenTelemetryApi;
  private readonly clock = new SpanClock();

  constructor({ service, instance, endpoint, share }: OpenTelemetryOptions, logger: Logger) {
    diag.setLogger(complaints(logger), { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
    const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` });
    this.provider = new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': service, 'service.instance.id': instance }),
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(share) }),
      spanProcessors: [
        new BatchSpanProcessor({
          exporter,
          maxQueueSize: WAITING_MAX,
          scheduledDelayMillis: SEND_EVERY_MS,
        }),
      ],
    });
    this.api = this.provider.getTracer('starling');
  }

  start(name: string, { parent, role, links = [], attributes = {}, startedAt }: SpanStart): Span | null {
    const context = contextOf(parent);
    if (context === null) return null;
    const span = this.api.startSpan(
      name,
      {
        kind: KINDS[role],
        attributes,
        links: links
          .map(spanContextOf)
          .filter((link) => link !== null)
          .map((link) => ({ context: link })),
        startTime: this.clock.at(startedAt),
      },
      context,
    );
    return span.isRecording() ? new RecordedSpan(span, this.clock) : null;
  }

  async shutdown(): Promise<void> {
    const sent = this.provider.shutdown().catch(() => undefined);
    await Promise.race([sent, sleep(SHUTDOWN_PATIENCE_MS, undefined, { ref: false })]);
  }
}

/** What goes wrong with sending is told nowhere else; for as long as it does, once a minute. */
function complaints(logger: Logger): DiagLogger {
  let quietUntil = -Infinity;
  const complain = (said: string): void => {
    if (performance.now() < quietUntil) return;
    quietUntil = performance.now() + COMPLAIN_EVERY_MS;
    logger.warn({ said }, 'traces could not be sent');
  };
  const ignore = (): void => undefined;
  return { error: complain, warn: complain, info: ignore, debug: ignore, verbose: ignore };
}

class RecordedSpan implements Span {
  constructor(
    private readonly span: OpenTelemetrySpan,
    private readonly clock: SpanClock,
  ) {}

  get traceparent(): string {
    const { traceId, spanId } = this.span.spanContext();
    return `00-${traceId}-${spanId}-01`;
  }

  end(attributes: SpanAttributes = {}, error: string | null = null): void {
    this.span.setAttributes(attributes);
    if (error !== null) {
      this.span.setAttribute('error.type', error);
      this.span.setStatus({ code: SpanStatusCode.ERROR, message: error });
    }
    this.span.end(this.clock.at());
  }
}

/** Null where the parent is not readable: a span of its own would only mislead. */
function contextOf(parent: string | null): Context | null {
  if (parent === null) return ROOT_CONTEXT;
  const spanContext = spanContextOf(parent);
  return spanContext === null ? null : trace.setSpanContext(ROOT_CONTEXT, spanContext);
}

function spanContextOf(traceparent: string): SpanContext | null {
  const [, traceId, spanId, flags] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined) return null;
  const traceFlags = Number.parseInt(flags ?? '', 16) & TraceFlags.SAMPLED;
  return { traceId, spanId, traceFlags, isRemote: true };
}
