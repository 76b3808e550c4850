import { Global, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { CONFIG, type Config } from '@starling/config';
import { LOGGER, METRICS, ReadinessChecks } from '@starling/observability';
import { connectRedis, type RedisClient, type RedisOptions } from '@starling/redis';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { ROOM_EMITTER } from '../room-emitter.js';
import { ROOM_MEMBERS, SOCKET_IO_ADAPTER } from '../room-members.js';
import { RedisRoomEmitter } from './redis-room-emitter.js';
import { RedisRooms } from './redis-rooms.js';

type Connection = Omit<RedisOptions, 'url'>;

/** Hints are for now or for never; and a timeout for each would cost more than the rest of it. */
export const EMITTER_CONNECTION: Connection = { purpose: 'room-emits', whileAway: 'reject', timeoutMs: 0 };

/** Subscriptions are wanted whenever Redis comes back. */
export const MEMBERS_CONNECTION: Connection = { purpose: 'room-members', whileAway: 'wait', timeoutMs: 0 };

const PUBLISHER = Symbol('Publisher');
const SUBSCRIBER = Symbol('Subscriber');

function connection(provide: symbol, options: Connection) {
  return {
    provide,
    inject: [CONFIG, LOGGER, ReadinessChecks],
    useFactory: (config: Config, logger: Logger, readiness: ReadinessChecks): RedisClient => {
      const client = connectRedis({ url: config.REDIS_URL, ...options }, logger);
      readiness.add(`redis-${options.purpose}`, async () => {
        await client.ping();
      });
      return client;
    },
  };
}

/** The side of those that only emit, in the cluster profile. Needs, from global modules: CONFIG, LOGGER, METRICS, ReadinessChecks. */
@Global()
@Module({
  providers: [
    connection(PUBLISHER, EMITTER_CONNECTION),
    {
      provide: ROOM_EMITTER,
      inject: [PUBLISHER, CONFIG, METRICS],
      useFactory: (publisher: RedisClient, config: Config, metrics: Registry) =>
        new RedisRoomEmitter(publisher, config.REDIS_PREFIX, metrics),
    },
  ],
  exports: [ROOM_EMITTER],
})
export class RedisRoomEmitterModule implements OnApplicationShutdown {
  constructor(@Inject(PUBLISHER) private readonly publisher: RedisClient) {}

  /** Last, since what the others finish may emit. */
  onApplicationShutdown(): void {
    this.publisher.destroy();
  }
}

/** The gateways' side, which emits too. Needs the same. */
@Global()
@Module({
  imports: [RedisRoomEmitterModule],
  providers: [
    connection(SUBSCRIBER, MEMBERS_CONNECTION),
    {
      provide: RedisRooms,
      inject: [SUBSCRIBER, CONFIG, LOGGER, METRICS],
      useFactory: (subscriber: RedisClient, config: Config, logger: Logger, metrics: Registry) =>
        new RedisRooms(subscriber, config.REDIS_PREFIX, logger, metrics),
    },
    { provide: ROOM_MEMBERS, useExisting: RedisRooms },
    { provide: SOCKET_IO_ADAPTER, inject: [RedisRooms], useFactory: (rooms: RedisRooms) => rooms.Adapter },
  ],
  exports: [RedisRoomEmitterModule, ROOM_MEMBERS, SOCKET_IO_ADAPTER],
})
export class RedisRoomsModule implements OnApplicationShutdown {
  constructor(@Inject(SUBSCRIBER) private readonly subscriber: RedisClient) {}

  onApplicationShutdown(): void {
    this.subscriber.destroy();
  }
}
