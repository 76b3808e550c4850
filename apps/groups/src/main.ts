import 'reflect-metadata';
import { NatsBusModule, natsOptionsOf, natsRequestServer } from '@starling/bus';
import { ReadinessChecks } from '@starling/observability';
import { runProcess, startApp } from '@starling/process';

import { MongoModule } from '@starling/storage';
import { GroupsModule } from './groups.module.js';

const SERVICE = 'groups';

await runProcess((config, logger) =>
  startApp({
    config,
    logger,
    service: SERVICE,
    imports: [MongoModule, NatsBusModule.register(SERVICE), GroupsModule.onMongodb()],
    requests: (app) => natsRequestServer(natsOptionsOf(config, SERVICE), SERVICE, app.get(ReadinessChecks)),
  }),
);
