import { encodeId, parseConversation, type ConversationKey } from '@starling/protocol';

export type RoomName = string & { readonly __brand: 'RoomName' };

export function userRoom(userId: string): RoomName {
  return roomName('u', userId);
}

export function groupRoom(groupId: string): RoomName {
  return roomName('g', groupId);
}

/** Where a conversation's messages go: the group's room, or the room of each distinct user of a private one. */
export function roomsOf(key: ConversationKey): RoomName[] {
  const conversation = parseConversation(key);
  if (conversation.kind === 'group') return [groupRoom(conversation.groupId)];
  const [a, b] = conversation.users;
  return a === b ? [userRoom(a)] : [userRoom(a), userRoom(b)];
}

/** A Redis adapter with dynamic subscriptions takes 20 characters for a socket's private room and sends it to every pod. */
const LENGTH_OF_PRIVATE_ROOMS = 20;

function roomName(kind: string, id: string): RoomName {
  const name = `${kind}.${encodeId(id)}`;
  return (name.length === LENGTH_OF_PRIVATE_ROOMS ? `${name}.` : name) as RoomName;
}
