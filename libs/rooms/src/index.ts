export { LocalRoomsModule } from './local-rooms.module.js';
export { RedisRoomEmitterModule, RedisRoomsModule } from './redis/redis-rooms.module.js';
export * from './room-emitter.js';
export * from './room-event.js';
export * from './room-members.js';
export * from './room-names.js';
