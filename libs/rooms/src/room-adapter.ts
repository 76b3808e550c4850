import { Adapter } from 'socket.io-adapter';
import type { RoomEvent } from './room-event.js';
import type { RoomName } from './room-names.js';

/** The one event name that carries room events between Socket.IO servers. */
export const ROOM_EVENT = 'starling:room-event';

export type RoomEventHandler = (room: RoomName, event: RoomEvent) => void;

interface EventPacket {
  readonly data?: unknown;
}

interface BroadcastOptions {
  readonly rooms: ReadonlySet<string>;
}

/**
 * Makes a Socket.IO adapter hand over room events instead of writing them to sockets: the feed decides order,
 * gaps and wire forms. Works on any adapter, because all of them end a broadcast, local or from another
 * server, in `broadcast`. Raw WebSocket connections are members like any other (`addAll`): only ids matter here.
 */
export function roomAdapter(handle: RoomEventHandler): typeof Adapter {
  return class RoomAdapter extends Adapter {
    override broadcast(packet: unknown, options: Parameters<Adapter['broadcast']>[1]): void {
      const { data } = packet as EventPacket;
      if (!Array.isArray(data) || data[0] !== ROOM_EVENT) {
        super.broadcast(packet, options);
        return;
      }
      for (const room of (options as BroadcastOptions).rooms) {
        if (this.rooms.has(room)) handle(room as RoomName, data[1] as RoomEvent);
      }
    }
  };
}
