import type { NestExpressApplication } from '@nestjs/platform-express';
import { NestFactory } from '@nestjs/core';
import { InProcessRequestServer } from '@starling/bus';
import type { Config } from '@starling/config';
import { createMetrics, NestLog, ReadinessChecks } from '@starling/observability';
import { SqliteDatabase } from '@starling/storage';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { GatewayModule } from '../../gateway/src/index.js';
import { StandaloneModule } from './standalone.module.js';

export interface Standalone {
  readonly port: number;
  /** Tells clients to come back, finishes what was begun, and closes the store, in this order. */
  stop(): Promise<void>;
}

/** Starts every service in this process. Rejects with a message for people when the folder or the port cannot be used. */
export async function startStandalone(config: Config, logger: Logger): Promise<Standalone> {
  const database = await SqliteDatabase.open(config.DATA_DIR);
  try {
    const app = await NestFactory.create<NestExpressApplication>(
      StandaloneModule.register({ config, logger, metrics: createMetrics(), database }),
      { logger: new NestLog(logger), abortOnError: false },
    );
    app.disable('x-powered-by');
    GatewayModule.serve(app);
    app.connectMicroservice({ strategy: app.get(InProcessRequestServer) }, { inheritAppConfig: true });
    await app.startAllMicroservices();
    await app.listen(config.PORT, config.HOST);
    const readiness = app.get(ReadinessChecks);
    readiness.started();
    return {
      port: (app.getHttpServer().address() as AddressInfo).port,
      async stop() {
        readiness.draining();
        await app.close();
        await database.close();
      },
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}
