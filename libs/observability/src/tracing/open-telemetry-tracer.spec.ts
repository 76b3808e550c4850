import { loadConfig } from '@starling/config';
import { TraceCollector, until } from '@starling/testing';
import { pino } from 'pino';
import { createTracer } from './create-tracer.js';
import type { Span, Tracer } from './tracer.js';

describe('traces', () => {
  let collector: TraceCollector;
  let tracer: Tracer;
  let logged: { msg: string }[];

  const create = (environment: Record<string, string> = {}): Promise<Tracer | null> => {
    logged = [];
    const logger = pino({}, { write: (line: string) => logged.push(JSON.parse(line) as { msg: string }) });
    return createTracer(
      loadConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...environment }),
      'starling-test',
      logger,
    );
  };
  const start = async (environment?: Record<string, string>): Promise<void> => {
    tracer = (await create(environment))!;
  };
  const begin = (name = 'first'): Span => tracer.start(name, { parent: null, role: 'server' })!;

  beforeEach(async () => {
    collector = await TraceCollector.start();
  });
  afterEach(async () => {
    await tracer?.shutdown();
    await collector.stop();
  });

  it('are off unless a collector is named', async () => {
    expect(await create({ OTEL_EXPORTER_OTLP_ENDPOINT: '' })).toBeNull();
  });

  it('are sent by shutdown, with what the spans were given', async () => {
    await start();
    const startedAt = performance.now() - 1_000;
    const first = tracer.start('first', {
      parent: null,
      role: 'server',
      startedAt,
      attributes: { 'starling.a': 'text', 'starling.b': 7, 'starling.c': true },
    })!;
    const second = tracer.start('second', { parent: first.traceparent, role: 'producer' })!;
    second.end({ 'starling.d': 'at the end' }, 'UNAVAILABLE');
    first.end();
    await tracer.shutdown();
    const [child, parent] = collector.spans;
    expect(collector.spans).toHaveLength(2);
    expect(parent).toMatchObject({
      service: 'starling-test',
      name: 'first',
      parentSpanId: '',
      kind: 2,
      attributes: { 'starling.a': 'text', 'starling.b': 7, 'starling.c': true },
      status: 0,
    });
    expect(child).toMatchObject({
      name: 'second',
      traceId: parent!.traceId,
      parentSpanId: parent!.spanId,
      kind: 4,
      attributes: { 'starling.d': 'at the end', 'error.type': 'UNAVAILABLE' },
      status: 2,
    });
    expect(Number(parent!.endedAt - parent!.startedAt) / 1e6).toBeGreaterThanOrEqual(1_000);
    expect(Math.abs(Number(parent!.endedAt / 1_000_000n) - Date.now())).toBeLessThan(60_000);
  });

  it('never end after the span that they are a part of and that ended later', async () => {
    await start();
    for (let round = 0; round < 50; round++) {
      const startedAt = performance.now() - Math.random();
      const whole = tracer.start('whole', { parent: null, role: 'server', startedAt })!;
      const part = tracer.start('part', { parent: whole.traceparent, role: 'producer' })!;
      part.end();
      whole.end();
    }
    await tracer.shutdown();
    const wholes = new Map(
      collector.spans.filter(({ name }) => name === 'whole').map((span) => [span.spanId, span]),
    );
    const parts = collector.spans.filter(({ name }) => name === 'part');
    expect(parts).toHaveLength(50);
    for (const part of parts) {
      const whole = wholes.get(part.parentSpanId)!;
      expect(part.startedAt).toBeGreaterThanOrEqual(whole.startedAt);
      expect(part.endedAt).toBeLessThanOrEqual(whole.endedAt);
    }
  });

  it('are sent soon without being asked to', async () => {
    await start({ OTEL_SERVICE_NAME: 'of my own' });
    begin().end();
    await until('the span', () => collector.spans.length === 1);
    expect(collector.spans[0]!.service).toBe('of my own');
  });

  it('hand on W3C trace context, and go on from what other processes hand on', async () => {
    await start();
    const span = begin();
    expect(span.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    const foreign = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    tracer.start('part', { parent: foreign, role: 'consumer', links: [span.traceparent, 'rubbish'] })!.end();
    await tracer.shutdown();
    const [, traceId, spanId] = span.traceparent.split('-');
    expect(collector.spans).toEqual([
      expect.objectContaining({
        traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
        parentSpanId: '00f067aa0ba902b7',
        links: [{ traceId, spanId }],
      }),
    ]);
  });

  it('have no part where the beginning is not recorded, or what was handed on is no trace context', async () => {
    await start();
    const unrecorded = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00';
    for (const parent of [unrecorded, '', 'rubbish', `${unrecorded}-more`, '00-0-0-01']) {
      expect(tracer.start('part', { parent, role: 'consumer' })).toBeNull();
    }
  });

  it('are recorded for the share that is asked for', async () => {
    await start({ OTEL_TRACES_SAMPLER_ARG: '0' });
    expect(tracer.start('first', { parent: null, role: 'server' })).toBeNull();
    await tracer.shutdown();
    await start({ OTEL_TRACES_SAMPLER_ARG: '0.5' });
    const begun = Array.from({ length: 400 }, () => tracer.start('first', { parent: null, role: 'server' }));
    const recorded = begun.filter((span) => span !== null).length;
    expect(recorded).toBeGreaterThan(100);
    expect(recorded).toBeLessThan(300);
  });

  it('of which a collector takes none are complained of once, and hold nothing up', async () => {
    await start();
    collector.status = 400;
    for (let round = 1; round <= 3; round++) {
      begin().end();
      await until('an attempt', () => collector.requests >= round);
    }
    await until('the complaint', () => logged.length > 0);
    expect(logged.map(({ msg }) => msg)).toEqual(['traces could not be sent']);
    const asked = performance.now();
    begin().end();
    await tracer.shutdown();
    expect(performance.now() - asked).toBeLessThan(4_000);
  });

  it('hold up the end of the process no longer than a moment when the collector hangs', async () => {
    await start({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' });
    begin().end();
    const asked = performance.now();
    await tracer.shutdown();
    expect(performance.now() - asked).toBeLessThan(4_000);
  });
});
