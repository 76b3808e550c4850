import { encodedIds, encodeId, type ConversationKey } from '@starling/protocol';

export type RoomName = string & { readonly __brand: 'RoomName' };

export function userRoom(userId: string): RoomName {
  return roomName('u', encodeId(userId));
}

export function groupRoom(groupId: string): RoomName {
  return roomName('g', encodeId(groupId));
}

/** Where a conversation's messages go: the group's room, or the room of each distinct user of a private one. */
export function roomsOf(key: ConversationKey): RoomName[] {
  const { kind, ids } = encodedIds(key);
  if (kind === 'group') return ids.map((id) => roomName('g', id));
  return [...new Set(ids)].map((id) => roomName('u', id));
}

/** A Redis adapter with dynamic subscriptions takes 20 characters for a socket's private room and sends it to every pod. */
const LENGTH_OF_PRIVATE_ROOMS = 20;

function roomName(kind: string, encodedId: string): RoomName {
  const name = `${kind}.${encodedId}`;
  return (name.length === LENGTH_OF_PRIVATE_ROOMS ? `${name}.` : name) as RoomName;
}
