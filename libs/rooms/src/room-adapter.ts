import { MessageType, type Adapter, type ClusterMessage } from 'socket.io-adapter';
import type { RoomEvent } from './room-event.js';
import type { RoomName } from './room-names.js';

/** The one event name that carries room events between Socket.IO servers. */
export const ROOM_EVENT = 'starling:room-event';

export type RoomEventHandler = (room: RoomName, event: RoomEvent) => void;

/** What Socket.IO takes as its `adapter`: it is called with `new` for each namespace. */
export type AdapterConstructor = typeof Adapter;

export type Namespace = ConstructorParameters<typeof Adapter>[0];

export interface RoomAdapterParts {
  /** The adapter that becomes the rooms: the root namespace's. */
  readonly create: (namespace: Namespace) => Adapter;
  /** Of any other namespace: nobody looks for rooms there. */
  readonly createOther: (namespace: Namespace) => Adapter;
  readonly attach: (adapter: Adapter) => void;
  /** Of the arguments of a room event's packet; null when it is none that is known here. */
  readonly eventOf: (data: readonly unknown[]) => RoomEvent | null;
  readonly handle: RoomEventHandler;
}

/**
 * Makes Socket.IO adapters hand over room events instead of writing them to sockets: the feed decides order,
 * gaps and wire forms. Raw WebSocket connections are members like any other (`addAll`): only ids matter here.
 *
 * It takes over the adapter's methods rather than extending its class, because that of the Redis adapter is not to
 * be had: only a function that makes one is.
 */
export function roomAdapter(parts: RoomAdapterParts): AdapterConstructor {
  // No arrow function, since it is called with `new`.
  function RoomAdapter(namespace: Namespace): Adapter {
    if ((namespace as { name: string }).name !== '/') return parts.createOther(namespace);
    const adapter = parts.create(namespace);
    takeOver(adapter, parts);
    parts.attach(adapter);
    return adapter;
  }
  return RoomAdapter as unknown as AdapterConstructor;
}

/** `onMessage` is protected, and only what speaks to other servers has it. */
type OpenAdapter = Adapter & { onMessage?(message: ClusterMessage): void };

function takeOver(adapter: OpenAdapter, { eventOf, handle }: RoomAdapterParts): void {
  /** False when it is no room event. */
  const handOver = (packet: unknown, rooms: Iterable<string>): boolean => {
    const { data } = packet as { data?: unknown };
    if (!Array.isArray(data) || data[0] !== ROOM_EVENT) return false;
    const event = eventOf(data);
    if (event === null) return true;
    for (const room of rooms) {
      if (adapter.rooms.has(room)) handle(room as RoomName, event);
    }
    return true;
  };
  const broadcast = adapter.broadcast.bind(adapter);
  adapter.broadcast = (packet, options) => {
    if (!handOver(packet, (options as { rooms: ReadonlySet<string> }).rooms)) broadcast(packet, options);
  };
  if (adapter.onMessage === undefined) return;
  // What comes from other servers ends in the base class's own `broadcast`, past any override. Of other servers only
  // room events are taken: that one of them disconnects its sockets is nothing to those here.
  adapter.onMessage = (message) => {
    if (message.type === MessageType.BROADCAST) handOver(message.data.packet, message.data.opts.rooms);
  };
}
