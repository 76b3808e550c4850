import type { ChatClient } from '../clients/chat-client.js';
import type { Packet } from '../clients/packet.js';
import type { Entitlement, Message, Sent, Shown, View } from './checker.js';

/** The name a message's conversation has in runs. */
export function conversationOf(packet: Packet): string {
  if (packet['chatType'] === 1) return groupName(packet['toUserId']);
  return privateName(packet['fromUserId'], packet['toUserId']);
}

export function groupName(groupId: string): string {
  return `group ${groupId}`;
}

export function privateName(a: string, b: string): string {
  return `private ${JSON.stringify([a, b].sort())}`;
}

/** How clients address a conversation; `chatId` is a group, or the other user. */
export interface Address {
  readonly chatType: number;
  readonly chatId: string;
}

export function nameOf(userId: string, { chatType, chatId }: Address): string {
  return chatType === 1 ? groupName(chatId) : privateName(userId, chatId);
}

/** As the user addresses the conversation of that name. */
export function addressOf(userId: string, name: string): Address {
  const [kind] = name.split(' ', 1);
  const rest = name.slice(kind!.length + 1);
  if (kind === 'group') return { chatType: 1, chatId: rest };
  const [a, b] = JSON.parse(rest) as [string, string];
  return { chatType: 0, chatId: a === userId ? b : a };
}

/** A message of history, as runs have it. */
export function messageOf(packet: Packet): Message {
  return {
    conversation: conversationOf(packet),
    seq: packet['seq'],
    messageId: packet['messageId'],
    sender: packet['fromUserId'],
    id: packet['hasBeenSentId'],
    content: packet['content'],
  };
}

/** Notes what a connection is shown from now on, without keeping its packets. */
export class ViewRecorder {
  readonly shown: Shown[] = [];
  private readonly names = new Map<string, string>();

  constructor(readonly client: ChatClient) {
    client.keepsPackets = false;
    client.onPacket = (packet, answer) => {
      if (packet.command !== 4 || packet['success'] === false || packet['content'] === '') return;
      this.shown.push({
        conversation: this.name(packet),
        seq: packet['seq'],
        messageId: packet['messageId'],
        content: packet['content'],
        answer,
      });
    };
  }

  view(entitled: ReadonlyMap<string, Entitlement>): View {
    return { viewer: `${this.client.userId} (${this.client.form})`, shown: this.shown, entitled };
  }

  /** One string for all messages of a conversation: runs are large. */
  private name(packet: Packet): string {
    const name = conversationOf(packet);
    const known = this.names.get(name);
    if (known !== undefined) return known;
    this.names.set(name, name);
    return name;
  }
}

/** What a sender remembers of one message over all its tries. */
export class SendRecord {
  acknowledged: Sent['acknowledged'] = null;

  constructor(readonly packet: Packet) {}

  /** Takes an answer; returns whether the message is settled, so needs no more tries. */
  answered(answer: Packet): boolean {
    if (answer['success'] !== true) return false;
    this.acknowledged ??= { messageId: answer['messageId'], seq: answer['seq'] };
    return true;
  }

  get sent(): Sent {
    return {
      conversation: conversationOf(this.packet),
      sender: this.packet['fromUserId'],
      id: this.packet['hasBeenSentId'],
      content: this.packet['content'],
      acknowledged: this.acknowledged,
    };
  }
}
