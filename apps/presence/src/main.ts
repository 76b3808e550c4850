import 'reflect-metadata';
import { NatsBusModule, natsOptionsOf, natsRequestServer } from '@starling/bus';
import { ReadinessChecks } from '@starling/observability';
import { runProcess, startApp } from '@starling/process';
import { RedisRoomEmitterModule } from '@starling/rooms';
import { MongoModule } from '@starling/storage';
import { PresenceModule } from './presence.module.js';

const SERVICE = 'presence';

await runProcess((config, logger) =>
  startApp({
    config,
    logger,
    service: SERVICE,
    imports: [
      MongoModule,
      NatsBusModule.register(SERVICE),
      RedisRoomEmitterModule,
      PresenceModule.onMongodb(),
    ],
    requests: (app) => natsRequestServer(natsOptionsOf(config, SERVICE), SERVICE, app.get(ReadinessChecks)),
  }),
);
