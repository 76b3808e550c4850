import {
  partitionOf,
  type StoredMessage,
  type Submit,
  type SubmitOutcome,
  type SyncedConversation,
} from '@starling/bus';
import {
  addressFor,
  Command,
  conversationOf,
  messageFields,
  messagePacketText,
  storedBody,
  type ChatType,
  type SendMessageRequest,
} from '@starling/protocol';
import { packetText } from '../connection/packet-text.js';

type Stored = Extract<SubmitOutcome, { kind: 'stored' }>;

/** How a conversation stands in packets. */
export interface Address {
  readonly chatType: ChatType;
  readonly chatId: string;
}

/** The answer that says no more than that it worked. */
export function succeeded(command: number, fields: Readonly<Record<string, unknown>> = {}): string {
  return packetText(command, { success: true, errorMsg: '', ...fields });
}

/** A message packet as the submit it becomes; `sender` is the bound user. */
export function submitOf(
  packet: SendMessageRequest,
  sender: string,
  given: {
    messageId: string;
    membershipVersion: number;
    partitions: number;
    traceparent?: string | undefined;
  },
): Submit {
  const conversation = conversationOf(sender, packet.chatType, packet.toUserId);
  return {
    messageId: given.messageId,
    partition: partitionOf(conversation, given.partitions),
    conversation,
    sender,
    clientId: packet.hasBeenSentId,
    contentType: packet.contentType,
    content: packet.content,
    fields: messageFields(packet, sender),
    membershipVersion: given.membershipVersion,
    traceparent: given.traceparent,
  };
}

/** Command 4 to the sender of a stored message. */
export function acknowledgement(submit: Submit, stored: Stored): string {
  return messagePacketText(storedBody(submit.fields, stored), true);
}

/** Command 20. The messages' texts are put in as they are, not parsed and serialised again. */
export function historyAnswer(
  address: Address,
  reader: string,
  { messages, more, head }: { messages: readonly StoredMessage[]; more: boolean; head: number },
): string {
  const start = withoutEnd(succeeded(Command.HistoryAnswer, { ...address, more, head }));
  return `${start},"messages":${messageList(messages, reader)}}`;
}

/** Command 22. */
export function syncAnswer(
  reader: string,
  answer: {
    conversations: readonly SyncedConversation[];
    removed: readonly Address[];
    cursor: string | null;
  },
): string {
  const { removed, cursor } = answer;
  const start = withoutEnd(succeeded(Command.SyncAnswer, { removed, cursor }));
  const conversations = answer.conversations.map((conversation) => syncedText(conversation, reader));
  return `${start},"conversations":[${conversations.join(',')}]}`;
}

function syncedText(synced: SyncedConversation, reader: string): string {
  const { conversation, head, read, last, missing, more } = synced;
  const start = JSON.stringify({
    ...addressFor(conversation, reader),
    head,
    read,
    unread: head - read,
    more,
  });
  const newest = last === null ? 'null' : messageText(last, reader);
  return `${withoutEnd(start)},"last":${newest},"messages":${messageList(missing, reader)}}`;
}

function messageList(messages: readonly StoredMessage[], reader: string): string {
  return `[${messages.map((message) => messageText(message, reader)).join(',')}]`;
}

function messageText({ body, sender }: StoredMessage, reader: string): string {
  return messagePacketText(body, sender === reader);
}

function withoutEnd(object: string): string {
  return object.slice(0, -1);
}
