import { ErrorCode } from '@starling/protocol';
import type { Shown } from '../checker/checker.js';
import { type Address, addressOf, messageOf, nameOf } from '../checker/recorder.js';
import type { ChatClient } from '../clients/chat-client.js';
import { type Packet, show } from '../clients/packet.js';

/** What a connection was given on asking, since its user had been away. Conversations by name. */
export interface CaughtUp {
  /** Of all conversations of the user; what they were once the connection was bound, or later. */
  readonly heads: ReadonlyMap<string, number>;
  /** What sync and history brought. */
  readonly shown: readonly Shown[];
}

interface Synced extends Address {
  readonly head: number;
  readonly messages: Packet[];
  /** There are messages after the last of `messages`. */
  readonly more: boolean;
}

/**
 * What a client does that was away: it syncs from what it has seen without a gap, by conversation, and takes by history
 * what is more than an answer holds. Rejects when it is refused.
 */
export async function catchUp(client: ChatClient, seen: ReadonlyMap<string, number>): Promise<CaughtUp> {
  const known = [...seen].map(([name, seq]) => ({ ...addressOf(client.userId, name), seq }));
  const heads = new Map<string, number>();
  const packets: Packet[] = [];
  let cursor: unknown = null;
  do {
    const answer = await client.sync(known, cursor === null ? {} : { cursor });
    if (answer['success'] !== true) throw client.error('could not sync');
    for (const synced of answer['conversations'] as Synced[]) {
      const name = nameOf(client.userId, synced);
      heads.set(name, synced.head);
      packets.push(...synced.messages);
      const last: number = synced.messages.at(-1)?.['seq'] ?? seen.get(name) ?? 0;
      if (synced.more) packets.push(...(await historyAfter(client, synced, last)));
    }
    cursor = answer['cursor'];
  } while (cursor !== null);
  return { heads, shown: packets.map(shownOf) };
}

async function historyAfter(
  client: ChatClient,
  { chatType, chatId }: Address,
  seq: number,
): Promise<Packet[]> {
  const messages: Packet[] = [];
  for (;;) {
    const after: number = messages.at(-1)?.['seq'] ?? seq;
    const page = await client.history(chatType, chatId, { after });
    // A quit whose answer was cut off can take effect late, and a former member is given nothing.
    if (page['errorCode'] === ErrorCode.NOT_A_MEMBER.code) return messages;
    if (page['success'] !== true) throw client.error(`was refused history: ${show(page)}`);
    const found: Packet[] = page['messages'];
    messages.push(...found);
    if (!page['more'] || found.length === 0) return messages;
  }
}

function shownOf(packet: Packet): Shown {
  const { conversation, seq, messageId, content } = messageOf(packet);
  return { conversation, seq, messageId, content, answer: true };
}
