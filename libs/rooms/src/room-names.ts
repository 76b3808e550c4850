import { encodeId } from '@starling/protocol';

export type RoomName = string & { readonly __brand: 'RoomName' };

export function userRoom(userId: string): RoomName {
  return roomName('u', userId);
}

export function groupRoom(groupId: string): RoomName {
  return roomName('g', groupId);
}

/** A Redis adapter with dynamic subscriptions takes 20 characters for a socket's private room and sends it to every pod. */
const LENGTH_OF_PRIVATE_ROOMS = 20;

function roomName(kind: string, id: string): RoomName {
  const name = `${kind}.${encodeId(id)}`;
  return (name.length === LENGTH_OF_PRIVATE_ROOMS ? `${name}.` : name) as RoomName;
}
