import 'reflect-metadata';
import { NatsBusModule } from '@starling/bus';
import { runProcess, startApp } from '@starling/process';
import { RedisRoomsModule } from '@starling/rooms';
import { GatewayModule } from './gateway.module.js';

await runProcess(async (config, logger) => {
  const app = await startApp({
    config,
    logger,
    imports: [NatsBusModule.register('gateway'), RedisRoomsModule, GatewayModule],
    prepare: (nest) => GatewayModule.serve(nest),
  });
  return { ...app, facts: GatewayModule.addresses(config, app.port) };
});
