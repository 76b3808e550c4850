import {
  GroupsRequest,
  MessageStoreRequest,
  partitionOf,
  type MembershipOfUser,
  type Positions,
  type ReplayCursor,
  type RequestClient,
  type RequestPattern,
  type StoredMessage,
} from '@starling/bus';
import { parseConversation, Refusal, type ConversationKey } from '@starling/protocol';

const REPAIR_MAX = 500;

type Handler = (payload: never) => unknown;

/**
 * The services behind the request port, as far as a gateway's feed asks them: what they answer is what their
 * contracts promise, when they answer (or whether) is up to the test.
 */
export class SimulatedStore implements RequestClient {
  readonly messages = new Map<ConversationKey, StoredMessage[]>();
  readonly replays = new Map<
    string,
    { base: Positions; cursors: Map<ConversationKey, number>; until: number }
  >();
  memberships: (userId: string) => MembershipOfUser[] = () => [];
  /** Milliseconds to and from the service. */
  delay: () => number = () => 0;
  fails: (pattern: string) => boolean = () => false;
  /** How many of a conversation's newest messages whoever answers a repair does not know yet. */
  lag: () => number = () => 0;
  /** Every request, in order. */
  readonly asked: { name: string; payload: unknown }[] = [];
  private readonly positions: number[];

  constructor(readonly partitions: number) {
    this.positions = new Array<number>(partitions).fill(0);
  }

  commit(
    conversation: ConversationKey,
    sender: string,
    messageId: string,
    membershipVersion = 0,
  ): StoredMessage {
    const partition = partitionOf(conversation, this.partitions);
    let stored = this.messages.get(conversation);
    if (stored === undefined) this.messages.set(conversation, (stored = []));
    const position = (this.positions[partition]! += 1 + (stored.length % 3));
    const message = {
      conversation,
      seq: stored.length + 1,
      messageId,
      sender,
      serverTime: Date.now(),
      partition,
      position,
      previousPosition: stored.at(-1)?.position ?? 0,
      membershipVersion,
      body: `"conversation":"${conversation}","seq":${stored.length + 1},"messageId":"${messageId}"`,
    };
    stored.push(message);
    return message;
  }

  get committed(): Positions {
    return [...this.positions];
  }

  async request<Request, Reply>(pattern: RequestPattern<Request, Reply>, payload: Request): Promise<Reply> {
    this.asked.push({ name: pattern.name, payload });
    await this.travel();
    if (this.fails(pattern.name)) throw new Refusal('UNAVAILABLE');
    const reply = this.handlers[pattern.name]!(payload as never);
    await this.travel();
    return reply as Reply;
  }

  askedFor(pattern: RequestPattern<unknown, unknown>): unknown[] {
    return this.asked.filter(({ name }) => name === pattern.name).map(({ payload }) => payload);
  }

  private async travel(): Promise<void> {
    const ms = this.delay();
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
  }

  private readonly handlers: Record<string, Handler> = {
    [MessageStoreRequest.positions.name]: () => ({ positions: this.committed }),
    [MessageStoreRequest.repair.name]: (asked: {
      conversation: ConversationKey;
      from: number;
      to: number;
      afterPosition: number;
    }) => {
      const stored = this.messages.get(asked.conversation) ?? [];
      const known = stored.slice(0, Math.max(0, stored.length - this.lag()));
      const wanted = known.filter(
        ({ seq, position }) => seq >= asked.from && seq <= asked.to && position > asked.afterPosition,
      );
      const entries = wanted.slice(0, REPAIR_MAX).map((message) => ({ seq: message.seq, message }));
      return { entries, head: known.length };
    },
    [MessageStoreRequest.history.name]: (asked: {
      conversation: ConversationKey;
      before: number | null;
      limit: number;
    }) => {
      const all = this.messages.get(asked.conversation) ?? [];
      const stored = all.slice(0, asked.before === null ? all.length : asked.before - 1);
      return { messages: stored.slice(-asked.limit), more: stored.length > asked.limit, head: all.length };
    },
    [MessageStoreRequest.touched.name]: (asked: {
      after: Positions;
      userId: string | null;
      groupIds: string[];
      limit: number;
    }) => this.touched(asked.after, asked.userId, asked.groupIds, asked.limit),
    [MessageStoreRequest.saveReplay.name]: ({
      entries,
      leaseMs,
    }: {
      entries: { userId: string; base: Positions | null; cursors: ReplayCursor[] }[];
      leaseMs: number;
    }) => {
      for (const { userId, base, cursors } of entries) {
        if (base !== null) this.replays.set(userId, { base, cursors: new Map(), until: 0 });
        const kept = this.replays.get(userId);
        if (kept === undefined) continue;
        kept.until = Date.now() + leaseMs;
        for (const { conversation, seq } of cursors) {
          kept.cursors.set(conversation, Math.max(seq, kept.cursors.get(conversation) ?? 0));
        }
      }
      return {};
    },
    [MessageStoreRequest.loadReplay.name]: ({ userId }: { userId: string }) => {
      const kept = this.replays.get(userId);
      if (kept === undefined || kept.until <= Date.now()) return { replay: null };
      const cursors = [...kept.cursors].map(([conversation, seq]) => ({ conversation, seq }));
      return { replay: { base: kept.base, cursors } };
    },
    [GroupsRequest.ofUser.name]: ({ userId }: { userId: string }) => ({
      memberships: this.memberships(userId),
    }),
  };

  /** Partition by partition, oldest head first, like the real one. */
  private touched(after: Positions, userId: string | null, groupIds: string[], limit: number) {
    const found = [...this.messages]
      .filter(([conversation]) => userId === null || isOf(conversation, userId, groupIds))
      .map(([conversation, stored]) => ({ conversation, head: stored.length, last: stored.at(-1)! }))
      .filter(({ last }) => last.position > after[last.partition]!)
      .sort((a, b) => a.last.partition - b.last.partition || a.last.position - b.last.position)
      .map(({ conversation, head, last }) => ({
        conversation,
        partition: last.partition,
        head,
        headPosition: last.position,
      }));
    const conversations = found.slice(0, limit);
    const last = found.length > limit ? conversations.at(-1) : undefined;
    const reached = this.committed.map((position, partition) => {
      if (last === undefined || partition < last.partition) return position;
      return partition === last.partition ? last.headPosition : after[partition]!;
    });
    return { conversations, more: last !== undefined, reached };
  }
}

function isOf(key: ConversationKey, userId: string, groupIds: string[]): boolean {
  const conversation = parseConversation(key);
  return conversation.kind === 'group'
    ? groupIds.includes(conversation.groupId)
    : conversation.users.includes(userId);
}
