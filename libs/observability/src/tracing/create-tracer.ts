import { randomBytes } from 'node:crypto';
import type { Config } from '@starling/config';
import type { Logger } from 'pino';
import type { Tracer } from './tracer.js';

/**
 * Null, and nothing loaded, unless OTEL_EXPORTER_OTLP_ENDPOINT names a collector.
 * @param service what this process is, unless OTEL_SERVICE_NAME says it
 */
export async function createTracer(
  config: Pick<Config, 'OTEL_EXPORTER_OTLP_ENDPOINT' | 'OTEL_SERVICE_NAME' | 'OTEL_TRACES_SAMPLER_ARG'>,
  service: string,
  logger: Logger,
): Promise<Tracer | null> {
  const endpoint = config.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (endpoint === '') return null;
  const { OpenTelemetryTracer } = await import('./open-telemetry-tracer.js');
  return new OpenTelemetryTracer(
    {
      service: config.OTEL_SERVICE_NAME || service,
      instance: randomBytes(9).toString('base64url'),
      endpoint,
      share: config.OTEL_TRACES_SAMPLER_ARG,
    },
    logger,
  );
}
