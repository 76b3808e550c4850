import { Global, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { CONFIG, loadConfig } from '@starling/config';
import { ObservabilityModule, ReadinessChecks } from '@starling/observability';
import { describeWithEngines, type Engine, startRedis, until } from '@starling/testing';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { RedisSessionsModule } from './redis-sessions.module.js';
import { SESSION_REGISTRY, type SessionRegistry } from './session-registry.js';

describeWithEngines(['redis'], 'RedisSessionsModule', () => {
  let redis: Engine;

  beforeAll(async () => {
    redis = await startRedis();
  }, 90_000);
  afterAll(() => redis.stop());

  async function start(REDIS_URL: string, REDIS_PREFIX = `test-${process.pid}-${Date.now()}`) {
    @Global()
    @Module({
      providers: [{ provide: CONFIG, useValue: loadConfig({ REDIS_URL, REDIS_PREFIX }) }],
      exports: [CONFIG],
    })
    class SurroundingsModule {}
    const observability = ObservabilityModule.register({
      logger: pino({ level: 'silent' }),
      metrics: new Registry(),
    });
    const app = await Test.createTestingModule({
      imports: [SurroundingsModule, observability, RedisSessionsModule],
    }).compile();
    await app.init();
    return {
      registry: app.get<SessionRegistry>(SESSION_REGISTRY),
      check: async () => (await app.get(ReadinessChecks).report()).checks['redis-sessions'],
      close: () => app.close(),
    };
  }

  it('gives presence services of one installation the same sessions, and those of another none', async () => {
    const prefix = `test-${process.pid}-${Date.now()}-shared`;
    const [one, other] = [await start(redis.url, prefix), await start(redis.url, prefix)];
    const stranger = await start(redis.url);
    const session = {
      sessionId: 's1',
      userId: 'ada',
      device: null,
      platform: null,
      gatewayId: 'gateway-1',
    };
    const opened = await one.registry.open(session, { maxSessions: 1, policy: 'multi' });
    expect(await other.registry.sessionsOf('ada')).toEqual([{ ...session, since: opened!.since }]);
    expect(await stranger.registry.sessionsOf('ada')).toEqual([]);
    expect(await one.check()).toBe('ok');
    for (const each of [one, other, stranger]) await each.close();
  });

  it('starts without Redis, is not ready then, and ends nevertheless', async () => {
    const { check, close } = await start('redis://127.0.0.1:1');
    await until('the check', async () => (await check()) === 'failed');
    await close();
  });
});
