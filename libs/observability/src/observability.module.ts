import { Module, type DynamicModule } from '@nestjs/common';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { HealthController } from './health.controller.js';
import { MetricsController } from './metrics.controller.js';
import { ReadinessChecks } from './readiness-checks.js';
import { LOGGER, METRICS } from './tokens.js';

/** Gives every module LOGGER, METRICS and ReadinessChecks, and the process /healthz, /readyz and /metrics. */
@Module({})
export class ObservabilityModule {
  static register({ logger, metrics }: { logger: Logger; metrics: Registry }): DynamicModule {
    return {
      module: ObservabilityModule,
      global: true,
      controllers: [HealthController, MetricsController],
      providers: [
        { provide: LOGGER, useValue: logger },
        { provide: METRICS, useValue: metrics },
        { provide: ReadinessChecks, useValue: new ReadinessChecks(logger) },
      ],
      exports: [LOGGER, METRICS, ReadinessChecks],
    };
  }
}
