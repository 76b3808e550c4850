import 'reflect-metadata';
import { NatsBusModule } from '@starling/bus';
import { runProcess, startApp } from '@starling/process';
import { RedisRoomsModule } from '@starling/rooms';
import { GatewayModule } from './gateway.module.js';

const SERVICE = 'gateway';

await runProcess(async (config, logger) => {
  const app = await startApp({
    config,
    logger,
    service: SERVICE,
    imports: [NatsBusModule.register(SERVICE), RedisRoomsModule, GatewayModule],
    prepare: (nest) => GatewayModule.serve(nest),
  });
  return { ...app, facts: GatewayModule.addresses(config, app.port) };
});
