import { connect, type NatsConnection } from '@nats-io/transport-node';
import {
  accepted,
  type CollectedSpan,
  type Engines,
  expectRefusal,
  Starling,
  startMongo,
  startNats,
  startRedis,
  TraceCollector,
  unique,
  until,
} from '@starling/testing';
import { createClient, type RedisClientType } from 'redis';

let collector: TraceCollector;

beforeAll(async () => {
  collector = await TraceCollector.start();
});
afterAll(() => collector.stop());

describe('the trace of a message', () => {
  let starling: Starling;

  beforeAll(async () => {
    starling = new Starling({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } });
    await starling.start();
  }, 90_000);
  afterEach(() => starling.closeClients());
  afterAll(() => starling.dispose(), 60_000);

  const spansOf = (traceId: string): CollectedSpan[] =>
    collector.spans.filter((span) => span.traceId === traceId);

  /** The spans of the message, once `delivers` gateways have delivered it. */
  async function traceOf(messageId: string, delivers: number): Promise<CollectedSpan[]> {
    return until('the whole trace', () => {
      const first = collector.spans.find(
        ({ name, attributes }) => name === 'receive' && attributes['starling.message_id'] === messageId,
      );
      if (first === undefined) return null;
      const spans = spansOf(first.traceId);
      // What a store made of it is sent together, and a gateway's answer is there already.
      const stored = spans.some(({ name }) => name === 'emit');
      return stored && spans.filter(({ name }) => name === 'deliver').length >= delivers ? spans : null;
    });
  }

  /** The names of the span and of all that it is a part of, the first of the trace in front. */
  function pathTo(span: CollectedSpan, spans: readonly CollectedSpan[]): string[] {
    const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
    const name = `${span.service} ${span.name}`;
    return parent === undefined ? [name] : [...pathTo(parent, spans), name];
  }

  it('goes from the gateway that received it through NATS and the store to each that delivered it', async () => {
    const group = unique('group');
    const ann = await starling.login(unique('ann'), { gateway: 0 });
    const bens = [
      await starling.login(unique('ben'), { gateway: 0, form: 'bytes' }),
      await starling.login(unique('ben'), { gateway: 1 }),
      await starling.login(unique('ben'), { gateway: 1, form: 'bytes' }),
    ];
    for (const each of [ann, ...bens]) accepted(await each.join(group));
    const { messageId } = accepted(await ann.sendToGroup(group, 'hello'));
    for (const ben of bens) await ben.waitForMessage('hello');

    const spans = await traceOf(messageId, 2);
    const delivers = spans.filter(({ name }) => name === 'deliver');
    const path = [
      'starling-gateway receive',
      'starling-gateway submit',
      'starling-message-store commit',
      'starling-message-store emit',
      'starling-gateway deliver',
    ];
    expect(delivers.map((span) => pathTo(span, spans))).toEqual([path, path]);
    // Two at each: ann's own copy is her answer, or waits for it.
    expect(delivers.map(({ attributes }) => attributes['starling.connections']).sort()).toEqual([1, 2]);
    expect(spans.map(({ name }) => name).sort()).toEqual(
      ['receive', 'submit', 'commit', 'commit batch', 'emit', 'deliver', 'deliver'].sort(),
    );
    const named = (wanted: string) => spans.find(({ name }) => name === wanted)!;
    expect(named('receive').parentSpanId).toBe('');
    expect(named('submit').startedAt).toBeGreaterThanOrEqual(named('receive').startedAt);
    expect(named('submit').endedAt).toBeLessThanOrEqual(named('receive').endedAt);
    expect(named('commit').attributes).toMatchObject({ 'starling.message_id': messageId });
    for (const { status } of spans) expect(status).toBe(0);
  });

  it('names nobody and holds nothing of what was said', async () => {
    const ann = await starling.login(unique('ann-the-sender'));
    const ben = await starling.login(unique('ben-the-receiver'));
    const { messageId } = accepted(await ann.sendTo(ben.userId, 'a word between the two'));
    const spans = await traceOf(messageId, 1);
    const text = JSON.stringify(spans, (_, value: unknown) =>
      typeof value === 'bigint' ? `${value}` : value,
    );
    for (const secret of ['ann-the', 'ben-the', 'a word', Buffer.from('ann-the').toString('base64url')]) {
      expect(text).not.toContain(secret);
    }
  });

  it('is linked to by the batch that stored it, whatever else was stored with it', async () => {
    const clients = await Promise.all(Array.from({ length: 8 }, () => starling.login(unique('ann'))));
    const group = unique('group');
    for (const client of clients) accepted(await client.join(group));
    const answers = await Promise.all(
      clients.flatMap((client) => Array.from({ length: 10 }, (_, i) => client.sendToGroup(group, `${i}`))),
    );
    const ids: string[] = answers.map((answer) => accepted(answer)['messageId']);
    for (const id of ids) await traceOf(id, 0);
    const batches = collector.spans.filter(({ name }) => name === 'commit batch');
    expect(batches.some(({ links }) => links.length > 1)).toBe(true);
    for (const batch of batches)
      expect(batch.links).toHaveLength(Number(batch.attributes['starling.submits']));
    const linked = new Set(batches.flatMap(({ links }) => links.map(({ spanId }) => spanId)));
    const submits = collector.spans.filter(({ name }) => name === 'submit');
    expect(submits.length).toBeGreaterThanOrEqual(ids.length);
    for (const { spanId } of submits) expect(linked).toContain(spanId);
  });

  it('of a retry ends at the store, and tells that it was one', async () => {
    const ann = await starling.login(unique('ann'));
    const packet = ann.message(unique('ben'), 0, 'again');
    const first = accepted(await ann.request(packet));
    const again = accepted(await ann.request(packet));
    expect(again['messageId']).toBe(first['messageId']);
    const commit = await until('the commit of the retry', () =>
      collector.spans.find(
        ({ name, attributes }) =>
          name === 'commit' &&
          attributes['starling.message_id'] === first['messageId'] &&
          attributes['starling.duplicate'] === true,
      ),
    );
    const names = spansOf(commit.traceId).map(({ name }) => name);
    expect(names).not.toContain('emit');
  });

  it('is none for a packet that goes to no store', async () => {
    const ann = await starling.login(unique('ann'));
    const begun = BigInt(Date.now()) * 1_000_000n;
    expectRefusal(await ann.sendToGroup(unique('nowhere'), 'refused'), 'NOT_A_MEMBER');
    await ann.heartbeat();
    const { messageId } = accepted(await ann.sendTo(unique('ben'), 'the next'));
    await traceOf(messageId, 0);
    expect(
      collector.spans.filter(({ name, startedAt }) => name === 'receive' && startedAt >= begun),
    ).toHaveLength(1);
  });
});

/** What every process hands on of one message: the submit in NATS, and the room event in Redis. */
describe('the wire between processes', () => {
  let engines: Engines;
  let nats: NatsConnection;
  let redis: RedisClientType;

  beforeEach(async () => {
    engines = { nats: await startNats(), redis: await startRedis(), mongodb: await startMongo() };
    nats = await connect({ servers: engines.nats.url });
    redis = await createClient({ url: engines.redis.url }).connect();
  }, 90_000);
  afterEach(async () => {
    await nats.close();
    redis.destroy();
    await Promise.all(Object.values(engines).map((engine) => engine.stop()));
  }, 60_000);

  it.each([
    ['nothing of a trace when traces are off', {}, false],
    ['nothing of one that is not recorded', { OTEL_TRACES_SAMPLER_ARG: '0' }, false],
    ['the trace context of one that is recorded', {}, true],
  ] as const)(
    'has %s',
    async (_, environment, carried) => {
      const exports = carried || 'OTEL_TRACES_SAMPLER_ARG' in environment;
      const starling = new Starling({
        env: { ...(exports ? { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } : {}), ...environment },
        cluster: { engines, gateways: 1 },
      });
      const submits: string[] = [];
      nats.subscribe('>', {
        callback: (__, message) => {
          const text = `${[...(message.headers?.keys() ?? [])].join()} ${message.string()}`;
          if (text.includes('to be seen')) submits.push(text);
        },
      });
      const redis = await createClient({ url: engines.redis.url }).connect();
      const events: string[] = [];
      await redis.MONITOR((command) => {
        if (command.includes('SPUBLISH') && command.includes('to be seen')) events.push(command);
      });
      try {
        await starling.start();
        const ann = await starling.login(unique('ann'));
        const ben = await starling.login(unique('ben'));
        const before = collector.spans.length;
        accepted(await ann.sendTo(ben.userId, 'to be seen'));
        await ben.waitForMessage('to be seen');
        await until('the messages between the processes', () => submits.length > 0 && events.length > 0);
        for (const text of [...submits, ...events]) {
          if (carried) expect(text).toMatch(/traceparent\\*":\\*"00-[0-9a-f]{32}-[0-9a-f]{16}-01/);
          else expect(text).not.toContain('trace');
        }
        await starling.stop();
        if (!carried) expect(collector.spans.length).toBe(before);
      } finally {
        redis.destroy();
        await starling.dispose();
      }
    },
    90_000,
  );
});
