import { Inject, Injectable } from '@nestjs/common';
import type { SyncedConversation, StoredMessage } from '@starling/bus';
import { groupConversation, type ConversationKey } from '@starling/protocol';
import {
  MESSAGE_REPOSITORY,
  type MessageRepository,
  type SeqRange,
} from '../repository/message-repository.js';
import { PAGE_BYTES, sizeOf, sizeOfConversation } from './page-size.js';

const PAGE_CONVERSATIONS = 100;
/** Missing messages of a page, over all its conversations. */
const PAGE_MESSAGES = 300;

interface SyncRequest {
  readonly userId: string;
  readonly groupIds: readonly string[];
  readonly known: readonly { conversation: ConversationKey; seq: number }[];
  readonly limit: number;
  readonly cursor: ConversationKey | null;
}

interface SyncPage {
  readonly conversations: SyncedConversation[];
  readonly cursor: string | null;
}

interface Wanted {
  readonly conversation: ConversationKey;
  readonly head: number;
  readonly missing: SeqRange;
}

/**
 * All conversations of a user with what their client lacks, in the order of the keys; the cursor is the last key
 * of the page. Pages end early rather than grow: by conversations, messages and bytes.
 */
@Injectable()
export class SyncService {
  constructor(@Inject(MESSAGE_REPOSITORY) private readonly repository: MessageRepository) {}

  async sync({ userId, groupIds, known, limit, cursor }: SyncRequest): Promise<SyncPage> {
    const keys = await this.keysAfter(cursor, userId, groupIds);
    const page = keys.slice(0, PAGE_CONVERSATIONS);
    const [heads, reads] = await Promise.all([
      this.repository.heads(page),
      this.repository.readCursors(userId, page),
    ]);
    const knownSeqs = new Map(known.map(({ conversation, seq }) => [conversation, seq]));
    const wanted = withinPage(
      page.map((conversation) => {
        const head = heads.get(conversation)?.seq ?? 0;
        const seq = knownSeqs.get(conversation) ?? 0;
        return {
          conversation,
          head,
          missing: { conversation, from: seq + 1, to: Math.min(head, seq + limit) },
        };
      }),
    );
    const messages = await this.read(wanted);
    const conversations: SyncedConversation[] = [];
    let size = 0;
    for (const { conversation, head, missing: range } of wanted) {
      const last = messages.get(`${conversation} ${head}`) ?? null;
      const missing: StoredMessage[] = [];
      size += sizeOfConversation({ conversation }) + (last ? sizeOf(last) : 0);
      // The first conversation is answered whatever its size, or there would be no way on.
      if (size > PAGE_BYTES && conversations.length > 0) break;
      let reached = range.from - 1;
      for (; reached < range.to; reached++) {
        const message = messages.get(`${conversation} ${reached + 1}`);
        if (!message) continue;
        if (size + sizeOf(message) > PAGE_BYTES && missing.length > 0) break;
        size += sizeOf(message);
        missing.push(message);
      }
      const read = reads.get(conversation) ?? 0;
      conversations.push({ conversation, head, read, last, missing, more: reached < head });
    }
    const isLast = conversations.length === keys.length;
    return { conversations, cursor: isLast ? null : (conversations.at(-1)?.conversation ?? null) };
  }

  /** One more than a page holds, if there are so many. */
  private async keysAfter(
    cursor: ConversationKey | null,
    userId: string,
    groupIds: readonly string[],
  ): Promise<ConversationKey[]> {
    const limit = PAGE_CONVERSATIONS + 1;
    const groups = groupIds.map(groupConversation).filter((key) => cursor === null || key > cursor);
    const privates = await this.repository.privateConversations(userId, cursor, limit);
    return [...new Set([...groups, ...privates])].sort(byCodeUnit).slice(0, limit);
  }

  private async read(wanted: readonly Wanted[]): Promise<Map<string, StoredMessage>> {
    const ranges = wanted.flatMap(({ conversation, head, missing }) => [
      ...(missing.from <= missing.to ? [missing] : []),
      ...(head > 0 && (head < missing.from || head > missing.to)
        ? [{ conversation, from: head, to: head }]
        : []),
    ]);
    const messages = ranges.length > 0 ? await this.repository.messages(ranges) : [];
    return new Map(messages.map((message) => [`${message.conversation} ${message.seq}`, message]));
  }
}

/** As many conversations as their missing messages allow, at least one. */
function withinPage(wanted: readonly Wanted[]): Wanted[] {
  let messages = 0;
  const end = wanted.findIndex(({ missing }, index) => {
    messages += Math.max(0, missing.to - missing.from + 1);
    return messages > PAGE_MESSAGES && index > 0;
  });
  return end === -1 ? [...wanted] : wanted.slice(0, end);
}

/** As the store orders keys, which are ASCII. */
function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : 1;
}
