import { ChatType } from './commands.js';

/**
 * Names a conversation in every part of the system. Typed and injective: a private pair cannot be confused
 * with a group or another pair, whatever characters the ids hold, and no id stands raw in it. The alphabet
 * is `A-Z a-z 0-9 - _ .`, so a key fits into subjects, room names and log lines as it is.
 */
export type ConversationKey = string & { readonly __brand: 'ConversationKey' };

export type Conversation =
  | { readonly kind: 'private'; readonly users: readonly [string, string] }
  | { readonly kind: 'group'; readonly groupId: string };

export function privateConversation(a: string, b: string): ConversationKey {
  const [first, second] = a <= b ? [a, b] : [b, a];
  return `p.${encodeId(first)}.${encodeId(second)}` as ConversationKey;
}

export function groupConversation(groupId: string): ConversationKey {
  return `g.${encodeId(groupId)}` as ConversationKey;
}

/** The conversation that `userId` means by a packet's `chatType` and `chatId` (the other user, or the group). */
export function conversationOf(userId: string, chatType: ChatType, chatId: string): ConversationKey {
  return chatType === ChatType.Group ? groupConversation(chatId) : privateConversation(userId, chatId);
}

export function parseConversation(key: ConversationKey): Conversation {
  const [kind, first = '', second = ''] = key.split('.');
  if (kind === 'g') return { kind: 'group', groupId: decodeId(first) };
  return { kind: 'private', users: [decodeId(first), decodeId(second)] };
}

/** How `userId`, one of its participants, addresses the conversation on the wire. */
export function addressFor(key: ConversationKey, userId: string): { chatType: ChatType; chatId: string } {
  const conversation = parseConversation(key);
  if (conversation.kind === 'group') return { chatType: ChatType.Group, chatId: conversation.groupId };
  const [a, b] = conversation.users;
  return { chatType: ChatType.Private, chatId: a === userId ? b : a };
}

/** The ids in a key as they stand there: the group's, or those of a private conversation's two users. */
export function encodedIds(key: ConversationKey): { kind: Conversation['kind']; ids: string[] } {
  const [kind, ...ids] = key.split('.');
  return { kind: kind === 'g' ? 'group' : 'private', ids };
}

/** What UTF-8 leaves as it is: most ids, and several times cheaper. */
const ASCII = /^[\0-\x7f]*$/;

/**
 * An id as base64url of its UTF-8 bytes. Injective because ids with unpaired surrogates are refused before
 * they get here (they have no UTF-8).
 */
export function encodeId(id: string): string {
  const base64 = btoa(ASCII.test(id) ? id : utf8Of(id));
  return base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

export function decodeId(encoded: string): string {
  const binary = atob(encoded.replaceAll('-', '+').replaceAll('_', '/'));
  if (ASCII.test(binary)) return binary;
  // A byte order mark is a character of the id like any other.
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(
    Uint8Array.from(binary, (character) => character.charCodeAt(0)),
  );
}

/** A character for each byte. */
function utf8Of(text: string): string {
  let binary = '';
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return binary;
}
