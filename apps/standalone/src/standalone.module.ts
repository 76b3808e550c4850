import { Module, type DynamicModule } from '@nestjs/common';
import { InProcessBusModule } from '@starling/bus';
import { CONFIG, type Config } from '@starling/config';
import { ObservabilityModule } from '@starling/observability';
import { LocalRoomsModule } from '@starling/rooms';
import { SQLITE, type SqliteDatabase } from '@starling/storage';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { GatewayModule } from '../../gateway/src/index.js';
import { GroupsModule } from '../../groups/src/index.js';
import { MessageStoreModule } from '../../message-store/src/index.js';
import { PresenceModule } from '../../presence/src/index.js';

export interface EmbeddedParts {
  readonly config: Config;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly database: SqliteDatabase;
}

/** The embedded profile: every service in one process, wired to the ports' in-process implementations. */
@Module({})
export class StandaloneModule {
  static register({ config, logger, metrics, database }: EmbeddedParts): DynamicModule {
    return {
      module: StandaloneModule,
      global: true,
      imports: [
        ObservabilityModule.register({ logger, metrics }),
        InProcessBusModule,
        LocalRoomsModule,
        PresenceModule.onSqlite(),
        GroupsModule.onSqlite(),
        MessageStoreModule.onSqlite(),
        GatewayModule,
      ],
      providers: [
        { provide: CONFIG, useValue: config },
        { provide: SQLITE, useValue: database },
      ],
      exports: [CONFIG, SQLITE],
    };
  }
}
