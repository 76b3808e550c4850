import { Global, Module } from '@nestjs/common';
import { LocalRooms } from './local-rooms.js';
import { ROOM_EMITTER } from './room-emitter.js';
import { ROOM_MEMBERS } from './room-members.js';

/** The rooms of the embedded profile. */
@Global()
@Module({
  providers: [
    LocalRooms,
    { provide: ROOM_EMITTER, useExisting: LocalRooms },
    { provide: ROOM_MEMBERS, useExisting: LocalRooms },
  ],
  exports: [ROOM_EMITTER, ROOM_MEMBERS],
})
export class LocalRoomsModule {}
