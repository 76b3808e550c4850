import type { INestApplication } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Counter } from 'prom-client';
import { createLogger } from './create-logger.js';
import { createMetrics } from './create-metrics.js';
import { ObservabilityModule } from './observability.module.js';
import { ReadinessChecks } from './readiness-checks.js';

@Module({})
class AppModule {}

describe('over HTTP', () => {
  let app: INestApplication;
  let url: string;
  let readiness: ReadinessChecks;
  let lines: string[];
  const metrics = createMetrics();

  beforeEach(async () => {
    lines = [];
    const logger = createLogger(
      { LOG_LEVEL: 'info', LOG_FORMAT: 'json' },
      { write: (line: string) => lines.push(line) },
    );
    const module = { module: AppModule, imports: [ObservabilityModule.register({ logger, metrics })] };
    app = await NestFactory.create(module, { logger: false });
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
    readiness = app.get(ReadinessChecks);
  });

  afterEach(() => app.close());

  async function get(path: string): Promise<{ status: number; body: unknown }> {
    const response = await fetch(url + path);
    return { status: response.status, body: await response.json() };
  }

  it('/healthz answers from the beginning to the end', async () => {
    const alive = { status: 200, body: { alive: true } };
    expect(await get('/healthz')).toEqual(alive);
    readiness.draining();
    expect(await get('/healthz')).toEqual(alive);
  });

  it('/readyz is 503 while starting, 200 when ready, 503 while draining, and never goes back', async () => {
    expect(await get('/readyz')).toEqual({
      status: 503,
      body: { ready: false, state: 'starting', checks: {}, notes: {} },
    });
    readiness.started();
    expect(await get('/readyz')).toEqual({
      status: 200,
      body: { ready: true, state: 'ready', checks: {}, notes: {} },
    });
    readiness.draining();
    readiness.started();
    expect(await get('/readyz')).toEqual({
      status: 503,
      body: { ready: false, state: 'draining', checks: {}, notes: {} },
    });
  });

  it('/readyz names every check, and fails with any of them', async () => {
    let storeWorks = true;
    readiness.add('bus', async () => {});
    readiness.add('store', async () => {
      if (!storeWorks) throw new Error('disk /var/secret is full');
    });
    readiness.started();
    expect((await get('/readyz')).body).toEqual({
      ready: true,
      state: 'ready',
      checks: { bus: 'ok', store: 'ok' },
      notes: {},
    });
    storeWorks = false;
    for (let i = 0; i < 3; i++) {
      expect(await get('/readyz')).toEqual({
        status: 503,
        body: { ready: false, state: 'ready', checks: { bus: 'ok', store: 'failed' }, notes: {} },
      });
    }
    storeWorks = true;
    expect((await get('/readyz')).status).toBe(200);
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({ level: 'warn', check: 'store', msg: 'not ready' }),
      expect.objectContaining({ level: 'info', check: 'store', msg: 'ready again' }),
    ]);
  });

  it('/readyz keeps what somebody should look into, and is ready all the same', async () => {
    readiness.started();
    readiness.note('partition 3', 'its log has lost submits');
    expect(await get('/readyz')).toMatchObject({
      status: 200,
      body: { ready: true, notes: { 'partition 3': 'its log has lost submits' } },
    });
  });

  it('/readyz does not let probes pile up on a check that hangs', async () => {
    let calls = 0;
    let finish = () => {};
    readiness.add('slow', () => {
      calls++;
      return new Promise<void>((resolve) => (finish = resolve));
    });
    readiness.started();
    const probes = Array.from({ length: 20 }, () => readiness.report());
    expect(calls).toBe(1);
    finish();
    for (const report of await Promise.all(probes)) expect(report.ready).toBe(true);
  });

  it('/metrics shows what modules register, and the process itself', async () => {
    new Counter({ name: 'starling_packets_total', help: 'Packets', registers: [metrics] }).inc(3);
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    expect(text).toContain('starling_packets_total 3\n');
    expect(text).toMatch(/^nodejs_eventloop_lag_seconds /m);
    expect(text).toMatch(/^process_resident_memory_bytes /m);
  });
});

describe('ReadinessChecks', () => {
  const logger = createLogger({ LOG_LEVEL: 'silent', LOG_FORMAT: 'json' }, { write: () => {} });

  it('takes a check that never answers, or throws at once, for failed', async () => {
    const checks = new ReadinessChecks(logger, 20);
    checks.add('hangs', () => new Promise(() => {}));
    checks.add('throws', () => {
      throw new Error('at once');
    });
    checks.started();
    expect(await checks.report()).toEqual({
      ready: false,
      state: 'ready',
      checks: { hangs: 'failed', throws: 'failed' },
      notes: {},
    });
  });

  it('refuses two checks of one name, which would hide one', () => {
    const checks = new ReadinessChecks(logger);
    checks.add('bus', async () => {});
    expect(() => checks.add('bus', async () => {})).toThrow('bus');
  });
});
