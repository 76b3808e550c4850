import { InProcessBusModule, InProcessRequestServer } from '@starling/bus';
import type { Config } from '@starling/config';
import { startApp, type RunningProcess } from '@starling/process';
import { LocalRoomsModule } from '@starling/rooms';
import { SQLITE, SqliteDatabase } from '@starling/storage';
import type { Logger } from 'pino';
import { GatewayModule } from '../../gateway/src/index.js';
import { GroupsModule } from '../../groups/src/index.js';
import { MessageStoreModule } from '../../message-store/src/index.js';
import { PresenceModule } from '../../presence/src/index.js';

/** The embedded profile: every service in one process, wired to the ports' in-process implementations. */
export async function startStandalone(config: Config, logger: Logger): Promise<RunningProcess> {
  const database = await SqliteDatabase.open(config.DATA_DIR);
  try {
    const app = await startApp({
      config,
      logger,
      service: 'standalone',
      imports: [
        InProcessBusModule,
        LocalRoomsModule,
        PresenceModule.onSqlite(),
        GroupsModule.onSqlite(),
        MessageStoreModule.onSqlite(),
        GatewayModule,
      ],
      providers: [{ provide: SQLITE, useValue: database }],
      prepare: (nest) => GatewayModule.serve(nest),
      requests: (nest) => ({ strategy: nest.get(InProcessRequestServer) }),
    });
    return {
      facts: { ...GatewayModule.addresses(config, app.port), dataDir: config.DATA_DIR },
      /** Clients are told to come back and what was begun is finished before the store closes. */
      async stop() {
        await app.stop();
        await database.close();
      },
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}
