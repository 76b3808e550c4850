import { Global, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { CONFIG, type Config } from '@starling/config';
import { LOGGER, ReadinessChecks } from '@starling/observability';
import type { Logger } from 'pino';
import { MONGODB, MongoDatabase } from './mongo-database.js';

/** The store of the cluster profile. Whatever needs it waits until the server is there. */
@Global()
@Module({
  providers: [
    {
      provide: MONGODB,
      inject: [CONFIG, LOGGER],
      useFactory: ({ MONGODB_URL }: Config, logger: Logger) => MongoDatabase.connect(MONGODB_URL, logger),
    },
  ],
  exports: [MONGODB],
})
export class MongoModule implements OnApplicationShutdown {
  constructor(
    @Inject(MONGODB) private readonly database: MongoDatabase,
    readiness: ReadinessChecks,
  ) {
    readiness.add('mongodb', () => database.check());
  }

  /** Imported before those who use it, so they have stopped. */
  async onApplicationShutdown(): Promise<void> {
    await this.database.close();
  }
}
