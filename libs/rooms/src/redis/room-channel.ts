import type { RoomName } from '../room-names.js';

/** How the names of all channels of an installation begin; the adapter puts the namespace after it. */
export function channelPrefix(installation: string): string {
  return `${installation}.rooms`;
}

/** The sharded channel that the adapter gives to a room of the root namespace. */
export function roomChannel(installation: string, room: RoomName): string {
  return `${channelPrefix(installation)}#/#${room}#`;
}
