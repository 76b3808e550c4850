import { Module, type DynamicModule } from '@nestjs/common';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { HealthController } from './health.controller.js';
import { MetricsController } from './metrics.controller.js';
import { ReadinessChecks } from './readiness-checks.js';
import { LOGGER, METRICS } from './tokens.js';
import { TRACER, type Tracer } from './tracing/tracer.js';

interface ObservabilityParts {
  readonly logger: Logger;
  readonly metrics: Registry;
  /** Null, or absent: no traces. */
  readonly tracer?: Tracer | null;
}

/** Gives every module LOGGER, METRICS, TRACER and ReadinessChecks, and the process /healthz, /readyz and /metrics. */
@Module({})
export class ObservabilityModule {
  static register({ logger, metrics, tracer = null }: ObservabilityParts): DynamicModule {
    return {
      module: ObservabilityModule,
      global: true,
      controllers: [HealthController, MetricsController],
      providers: [
        { provide: LOGGER, useValue: logger },
        { provide: METRICS, useValue: metrics },
        { provide: TRACER, useValue: tracer },
        { provide: ReadinessChecks, useValue: new ReadinessChecks(logger) },
      ],
      exports: [LOGGER, METRICS, TRACER, ReadinessChecks],
    };
  }
}
