import type { AddressInfo } from 'node:net';
import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { CONFIG, type Config } from '@starling/config';
import {
  createMetrics,
  createTracer,
  NestLog,
  ObservabilityModule,
  ReadinessChecks,
} from '@starling/observability';
import type { Logger } from 'pino';
import type { RunningProcess } from './run-process.js';

export interface AppParts {
  /** What it is called in traces. */
  readonly service: string;
  readonly config: Config;
  readonly logger: Logger;
  /** Ports before those who use them: they are stopped in the opposite order. */
  readonly imports: DynamicModule['imports'];
  /** Seen by every module, beside CONFIG, LOGGER, METRICS, TRACER and ReadinessChecks. */
  readonly providers?: (Provider & { provide: symbol })[];
  /** Before it listens. */
  readonly prepare?: (app: NestExpressApplication) => void;
  /** How its message patterns are reached; absent where it has none. */
  readonly requests?: (app: NestExpressApplication) => MicroserviceOptions;
}

@Module({})
class AppModule {}

/** One Nest application with its modules, its message patterns, and /healthz, /readyz and /metrics on HOST:PORT. */
export async function startApp(parts: AppParts): Promise<RunningProcess & { readonly port: number }> {
  const { config, logger, service, providers = [] } = parts;
  const tracer = await createTracer(config, `starling-${service}`, logger);
  const app = await NestFactory.create<NestExpressApplication>(
    {
      module: AppModule,
      global: true,
      imports: [
        ObservabilityModule.register({ logger, metrics: createMetrics(), tracer }),
        ...(parts.imports ?? []),
      ],
      providers: [{ provide: CONFIG, useValue: config }, ...providers],
      exports: [CONFIG, ...providers.map(({ provide }) => provide)],
    },
    { logger: new NestLog(logger), abortOnError: false },
  );
  app.disable('x-powered-by');
  parts.prepare?.(app);
  if (parts.requests) app.connectMicroservice(parts.requests(app), { inheritAppConfig: true });
  await app.startAllMicroservices();
  await app.listen(config.PORT, config.HOST);
  const readiness = app.get(ReadinessChecks);
  readiness.started();
  const { port } = app.getHttpServer().address() as AddressInfo;
  return {
    port,
    facts: { port },
    async stop() {
      readiness.draining();
      await app.close();
      await tracer?.shutdown();
    },
  };
}
