import { Global, Module, type INestApplicationContext, type Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { CONFIG, loadConfig } from '@starling/config';
import { ObservabilityModule, ReadinessChecks } from '@starling/observability';
import { describeWithEngines, startRedis, until, type Engine } from '@starling/testing';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { Server } from 'socket.io';
import { newInstallation } from '../../test/redis-pod.js';
import { ROOM_EMITTER, type RoomEmitter } from '../room-emitter.js';
import type { RoomEvent } from '../room-event.js';
import { ROOM_MEMBERS, type RoomMembers, SOCKET_IO_ADAPTER } from '../room-members.js';
import { userRoom } from '../room-names.js';
import type { AdapterConstructor } from '../room-adapter.js';
import { RedisRoomEmitterModule, RedisRoomsModule } from './redis-rooms.module.js';

const ANN = userRoom('ann');
const event = { kind: 'packet', packet: '{}', except: null, to: 'all' } as const;

describeWithEngines(['redis'], 'the modules of rooms over Redis', () => {
  let redis: Engine;
  let apps: INestApplicationContext[];

  beforeAll(async () => {
    redis = await startRedis();
  }, 90_000);
  afterAll(() => redis.stop());
  beforeEach(() => {
    apps = [];
  });
  afterEach(() => Promise.all(apps.map((app) => app.close())));

  async function start(rooms: Type, environment: Record<string, string>): Promise<INestApplicationContext> {
    @Global()
    @Module({
      providers: [{ provide: CONFIG, useValue: loadConfig(environment) }],
      exports: [CONFIG],
    })
    class SurroundingsModule {}
    const logger = pino({ level: 'silent' });
    const app = await Test.createTestingModule({
      imports: [SurroundingsModule, ObservabilityModule.register({ logger, metrics: new Registry() }), rooms],
    }).compile();
    apps.push(app);
    return app.init();
  }

  const isReady = async (app: INestApplicationContext): Promise<boolean> =>
    Object.values((await app.get(ReadinessChecks).report()).checks).every((state) => state === 'ok');

  it('carry events from a worker, and from a gateway, to the gateways of the same installation', async () => {
    const environment = { REDIS_URL: redis.url, REDIS_PREFIX: newInstallation() };
    const worker = await start(RedisRoomEmitterModule, environment);
    const gateways = [
      await start(RedisRoomsModule, environment),
      await start(RedisRoomsModule, environment),
      await start(RedisRoomsModule, { ...environment, REDIS_PREFIX: newInstallation() }),
    ];
    const received = await Promise.all(
      gateways.map(async (gateway) => {
        const events: RoomEvent[] = [];
        new Server({ adapter: gateway.get<AdapterConstructor>(SOCKET_IO_ADAPTER) }).of('/');
        const members = gateway.get<RoomMembers>(ROOM_MEMBERS);
        members.onEvent((_, incoming) => events.push(incoming));
        await members.join('a', [ANN]);
        return events;
      }),
    );
    await until('all to be ready', async () => (await Promise.all(apps.map(isReady))).every(Boolean));
    worker.get<RoomEmitter>(ROOM_EMITTER).emit(ANN, event);
    await until('the event of the worker', () => received[0]!.length === 1 && received[1]!.length === 1);
    gateways[0]!.get<RoomEmitter>(ROOM_EMITTER).emit(ANN, event);
    await until('the event of the gateway', () => received[0]!.length === 2 && received[1]!.length === 2);
    expect(received).toEqual([[event, event], [event, event], []]);
  });

  it('start without Redis, and are not ready then', async () => {
    const gateway = await start(RedisRoomsModule, { REDIS_URL: 'redis://127.0.0.1:1' });
    const { checks } = await gateway.get(ReadinessChecks).report();
    expect(checks).toEqual({ 'redis-room-emits': 'failed', 'redis-room-members': 'failed' });
  });
});
