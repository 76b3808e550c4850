import { connectRedis, type RedisClient } from '@starling/redis';
import { until } from '@starling/testing';
import { pino, type Logger } from 'pino';
import { Registry } from 'prom-client';
import { Server } from 'socket.io';
import { RedisRoomEmitter } from '../src/redis/redis-room-emitter.js';
import { RedisRooms } from '../src/redis/redis-rooms.js';
import { EMITTER_CONNECTION, MEMBERS_CONNECTION } from '../src/redis/redis-rooms.module.js';

const SILENT: Logger = pino({ level: 'silent' });

/** What a gateway has of rooms, without the gateway. */
export class RedisPod {
  readonly metrics = new Registry();
  readonly subscriber: RedisClient;
  readonly rooms: RedisRooms;
  readonly server: Server;

  constructor(url: string, installation: string) {
    this.subscriber = connectRedis({ url, ...MEMBERS_CONNECTION }, SILENT);
    this.rooms = new RedisRooms(this.subscriber, installation, SILENT, this.metrics);
    this.server = new Server({ adapter: this.rooms.Adapter });
    this.server.of('/');
  }

  stop(): void {
    this.subscriber.destroy();
  }
}

/** What a worker has of rooms. */
export class RedisEmitting {
  readonly metrics = new Registry();
  readonly publisher: RedisClient;
  readonly emitter: RedisRoomEmitter;

  constructor(url: string, installation: string) {
    this.publisher = connectRedis({ url, ...EMITTER_CONNECTION }, SILENT);
    this.emitter = new RedisRoomEmitter(this.publisher, installation, this.metrics);
  }

  /** Emits are dropped until then. */
  async ready(): Promise<this> {
    await until('the publisher to be connected', () => this.publisher.isReady);
    return this;
  }

  /** Emits so far, by what became of them. */
  async emits(result: 'published' | 'dropped'): Promise<number> {
    const { values } = await this.metrics.getSingleMetric('starling_room_emits_total')!.get();
    return values.find(({ labels }) => labels['result'] === result)?.value ?? 0;
  }

  stop(): void {
    this.publisher.destroy();
  }
}

let installations = 0;

/** A name for rooms that no other test has. */
export function newInstallation(): string {
  return `test-${process.pid}-${Date.now()}-${++installations}`;
}
