import { Global, Module } from '@nestjs/common';
import { LocalRooms } from './local-rooms.js';
import { ROOM_EMITTER } from './room-emitter.js';
import { ROOM_MEMBERS, SOCKET_IO_ADAPTER } from './room-members.js';

/** The rooms of the embedded profile. */
@Global()
@Module({
  providers: [
    LocalRooms,
    { provide: ROOM_EMITTER, useExisting: LocalRooms },
    { provide: ROOM_MEMBERS, useExisting: LocalRooms },
    { provide: SOCKET_IO_ADAPTER, inject: [LocalRooms], useFactory: (rooms: LocalRooms) => rooms.Adapter },
  ],
  exports: [ROOM_EMITTER, ROOM_MEMBERS, SOCKET_IO_ADAPTER],
})
export class LocalRoomsModule {}
