import { Inject, Injectable } from '@nestjs/common';
import type { RepairEntry, RepairReply, StoredMessage } from '@starling/bus';
import type { ConversationKey } from '@starling/protocol';
import { MESSAGE_REPOSITORY, type MessageRepository } from '../repository/message-repository.js';
import { fitting, PAGE_BYTES, sizeOf } from './page-size.js';

/** Entries that one repair answers. */
const REPAIR_MAX = 500;

interface Page {
  readonly messages: StoredMessage[];
  readonly more: boolean;
  readonly head: number;
}

/** Messages of one conversation by their seqs, which have no gaps: a page is a range, known before it is read. */
@Injectable()
export class HistoryService {
  constructor(@Inject(MESSAGE_REPOSITORY) private readonly repository: MessageRepository) {}

  /** Fewer than `limit` where they are large; at least one if there is any. */
  async history(
    conversation: ConversationKey,
    { before, after, limit }: { before: number | null; after: number | null; limit: number },
  ): Promise<Page> {
    const head = await this.headOf(conversation);
    const newest = Math.min(head, before === null ? head : before - 1);
    if (after !== null) {
      const to = Math.min(newest, after + limit);
      const messages = fitting(await this.range(conversation, after + 1, to), sizeOf);
      const reached = messages.at(-1)?.seq ?? to;
      return { messages, more: reached < newest, head };
    }
    const from = Math.max(1, newest - limit + 1);
    const messages = fitting((await this.range(conversation, from, newest)).reverse(), sizeOf).reverse();
    const reached = messages[0]?.seq ?? from;
    return { messages, more: newest > 0 && reached > 1, head };
  }

  /** Seqs above the head are not answered: they may yet come. Fewer where messages are large, at least one. */
  async repair(
    conversation: ConversationKey,
    from: number,
    to: number,
    afterPosition: number,
  ): Promise<RepairReply> {
    const reply = await this.readRepair(conversation, from, to, afterPosition);
    if (reply.entries.every(({ message }) => message !== null)) return reply;
    // MongoDB's primary may have changed between the head and the messages, to one that is behind for a moment. Its own
    // head tells how far it is; what is missing below that is not to be had any more.
    return this.readRepair(conversation, from, to, afterPosition);
  }

  private async readRepair(
    conversation: ConversationKey,
    from: number,
    to: number,
    afterPosition: number,
  ): Promise<RepairReply> {
    const head = await this.headOf(conversation);
    const last = Math.min(to, head);
    const first = await this.firstAfter(conversation, Math.max(1, from), last, afterPosition);
    const end = Math.min(last, first + REPAIR_MAX - 1);
    const stored = new Map(
      (await this.range(conversation, first, end)).map((message) => [message.seq, message]),
    );
    const entries: RepairEntry[] = [];
    let size = 0;
    for (let seq = first; seq <= end; seq++) {
      const message = stored.get(seq) ?? null;
      size += message ? sizeOf(message) : 0;
      if (size > PAGE_BYTES && entries.length > 0) break;
      entries.push({ seq, message });
    }
    return { entries, head };
  }

  /**
   * The lowest seq from which on all positions are after the given one. Positions grow with seqs, so it is looked for
   * from the newest backwards: what a gateway lacks is at the end.
   */
  private async firstAfter(
    conversation: ConversationKey,
    from: number,
    to: number,
    afterPosition: number,
  ): Promise<number> {
    if (afterPosition === 0) return from;
    let first = to + 1;
    while (first > from) {
      const low = Math.max(from, first - REPAIR_MAX);
      const page = await this.repository.messagePositions({ conversation, from: low, to: first - 1 });
      const known = page.findLast(({ position }) => position <= afterPosition);
      if (known) return known.seq + 1;
      first = low;
    }
    return from;
  }

  private async headOf(conversation: ConversationKey): Promise<number> {
    return (await this.repository.heads([conversation])).get(conversation)?.seq ?? 0;
  }

  private async range(conversation: ConversationKey, from: number, to: number): Promise<StoredMessage[]> {
    return from > to ? [] : this.repository.messages([{ conversation, from, to }]);
  }
}
