import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import {
  MessageStoreRequest,
  partitionOf,
  REQUEST_CLIENT,
  type Positions,
  type ReplayCursor,
  type RequestClient,
  type StoredMessage,
} from '@starling/bus';
import { CONFIG, type Config } from '@starling/config';
import { LOGGER, OutageLog } from '@starling/observability';
import { parseConversation, type ConversationKey } from '@starling/protocol';
import type { Logger } from 'pino';
import type { Connection } from '../connection/connection.js';
import { askAgain, pause, pauseAfter } from '../feed/ask-again.js';
import { Coalesced } from '../feed/coalesced.js';
import { Feed } from '../feed/feed.js';
import { PositionsReader } from '../feed/positions-reader.js';
import { knowsUpTo } from '../feed/repair-reply.js';
import { Turnstile } from '../feed/turnstile.js';
import { GatewayMembership } from '../membership/gateway-membership.js';
import { ConnectionDeliveries } from './connection-deliveries.js';
import type { DeliveredMarks } from './delivered-mark.js';
import { NewestMessages } from './newest-messages.js';
import { replaySaves } from './replay-saves.js';
import { UserDeliveries } from './user-deliveries.js';

const CONFIRM_EVERY_MS = 1000;
const TOUCHED_PAGE = 1000;
/** Users whose deliveries are saved again when a part of them could not be. */
const USERS_A_SAVE = 1000;
/** Conversations of all logins together that are pulled at the same time. */
const PULLS_AT_ONCE = 16;

/** What the store kept of a user. */
interface KeptReplay {
  readonly base: Positions;
  readonly cursors: readonly ReplayCursor[];
}

/** What one login is to be given of a conversation. */
interface Missed {
  readonly conversation: ConversationKey;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Closes the time away for clients of the byte endpoint that never ask for history or sync: what was delivered
 * to their user is kept, and the next login begins there. Delivered means confirmed by the client's side.
 */
@Injectable()
export class Replay implements OnModuleInit, OnModuleDestroy, BeforeApplicationShutdown {
  private readonly users = new Map<string, UserDeliveries>();
  private readonly connections = new Map<string, ConnectionDeliveries>();
  private readonly dirty = new Set<UserDeliveries>();
  private readonly saves: Coalesced<void>;
  private readonly outage: OutageLog;
  private readonly pulls = new Turnstile(PULLS_AT_ONCE);
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly feed: Feed,
    private readonly positions: PositionsReader,
    private readonly membership: GatewayMembership,
    @Inject(REQUEST_CLIENT) private readonly requests: RequestClient,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.saves = new Coalesced(() => this.save());
    this.outage = new OutageLog(
      logger,
      'what was delivered cannot be saved; trying again',
      'what was delivered is saved again',
    );
  }

  onModuleInit(): void {
    if (this.config.REPLAY_LEASE_MS === 0) return;
    this.timer = setInterval(() => void this.confirmAndSave(), CONFIRM_EVERY_MS).unref();
  }

  /** While connections still answer; what they confirm after this is saved when they have ended. */
  onModuleDestroy(): void {
    void this.confirmAndSave();
  }

  async beforeApplicationShutdown(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    await this.trySave();
  }

  /**
   * Second step of a login, after `GatewayMembership.bind`: reads from where the connection gets messages.
   * Call the result right after the login's answer was sent: what waited and what follows goes out from then
   * on. Rejects with a Refusal when the store does not answer; unbind then.
   */
  async arrive(connection: Connection): Promise<() => void> {
    const { session } = connection;
    if (session === null) throw new Error('a connection without a session cannot arrive');
    if (connection.form.kind !== 'bytes' || session.pushes || this.config.REPLAY_LEASE_MS === 0) {
      const base = await this.positions.read();
      return () => this.feed.attach(connection, base);
    }
    const { userId } = session;
    let user = this.users.get(userId);
    // Before the store is asked: its answer may be older than what is being saved of the user, which is kept so.
    if (user !== undefined) user.connections++;
    try {
      const { replay } = await this.requests.request(MessageStoreRequest.loadReplay, { userId });
      const base = await this.positions.read();
      const isFirst = replay === null && !this.users.has(userId);
      const found = this.userDeliveries(userId, replay, base);
      if (user === undefined) found.connections++;
      user = found;
      // Nothing may be delivered before it is kept where a login after a crash would begin.
      if (replay === null) await this.saves.ask();
      const since = user.base;
      const missed = isFirst ? [] : await this.missedSince(since, user);
      const deliveries = new ConnectionDeliveries(
        connection,
        session,
        user,
        (conversation, position) => void this.joined(deliveries, conversation, position),
      );
      this.connections.set(connection.id, deliveries);
      return () => this.begin(deliveries, since, base, missed);
    } catch (error) {
      if (user !== undefined) this.release(user);
      throw error;
    }
  }

  /**
   * After logout or when the connection ended, before `GatewayMembership.unbind`. `clean`: logout or the client's
   * own close frame (1000, 1001); what was written counts as delivered then.
   */
  ended(connection: Connection, clean: boolean): void {
    const deliveries = this.connections.get(connection.id);
    if (deliveries === undefined) return;
    this.connections.delete(connection.id);
    if (clean) deliveries.allRead();
    this.release(deliveries.user);
  }

  private release(user: UserDeliveries): void {
    user.connections--;
    this.dirty.add(user);
    // At once: the client may come back to another gateway.
    void this.trySave();
  }

  private userDeliveries(userId: string, kept: KeptReplay | null, base: Positions): UserDeliveries {
    let user = this.users.get(userId);
    if (user === undefined) {
      user = new UserDeliveries(userId, kept?.base ?? base, Date.now(), kept !== null);
      this.users.set(userId, user);
      this.dirty.add(user);
    }
    if (kept === null) return user;
    const marks: DeliveredMarks = new Map();
    for (const { conversation, seq } of kept.cursors) {
      const partition = partitionOf(conversation, base.length);
      marks.set(conversation, { seq, partition, position: base[partition]! });
    }
    user.kept(kept.base, marks);
    return user;
  }

  private async missedSince(since: Positions, user: UserDeliveries): Promise<Missed[]> {
    const { userId } = user;
    const groupIds = this.membership.groupsOf(userId);
    const missed = new Map<ConversationKey, Missed>();
    for (let after = since; ;) {
      const page = await this.requests.request(MessageStoreRequest.touched, {
        after,
        userId,
        groupIds,
        limit: TOUCHED_PAGE,
      });
      for (const { conversation, partition, head } of page.conversations) {
        const from = (user.markOf(conversation)?.seq ?? 0) + 1;
        if (from <= head) missed.set(conversation, { conversation, partition, from, to: head });
      }
      if (!page.more) return [...missed.values()];
      after = page.reached;
    }
  }

  private begin(deliveries: ConnectionDeliveries, since: Positions, base: Positions, missed: Missed[]): void {
    const { connection, session } = deliveries;
    const groups = new Set(this.membership.groupsOf(session.userId));
    // Groups that were left since are not the user's any more.
    const allowed = missed.filter(({ conversation }) => {
      const parsed = parseConversation(conversation);
      return parsed.kind === 'private' || groups.has(parsed.groupId);
    });
    const replaying = allowed.map(({ conversation }) => conversation);
    this.feed.attach(connection, base, { replaying, observer: deliveries });
    if (allowed.length > 0) void this.replay(deliveries, since, base, allowed);
  }

  private async replay(
    deliveries: ConnectionDeliveries,
    since: Positions,
    base: Positions,
    missed: Missed[],
  ): Promise<void> {
    const newest = new NewestMessages(this.config.REPLAY_MAX_MESSAGES);
    const ends: StoredMessage[] = [];
    await Promise.all(
      missed.map(async (conversation) => {
        const messages = await this.pulls.pass(() => this.pull(deliveries, since, base, conversation));
        newest.add(this.entitledTo(deliveries, conversation, messages));
        const last = messages.at(-1);
        if (last !== undefined) ends.push(last);
      }),
    );
    const kept = newest.byConversation();
    for (const { conversation } of missed) {
      // From its first history or sync on the client closes its gaps itself.
      const messages = deliveries.session.syncs ? [] : (kept.get(conversation) ?? []);
      this.feed.replay(deliveries.connection, conversation, messages);
    }
    // What is beyond the limit is not tried again by the next login.
    for (const last of ends) if (!kept.has(last.conversation)) deliveries.passed(last.conversation, last);
  }

  /** What the conversation held for the user between `since` and `base`, the newest of it. */
  private async pull(
    deliveries: ConnectionDeliveries,
    since: Positions,
    base: Positions,
    { conversation, partition, from, to }: Missed,
  ): Promise<StoredMessage[]> {
    const messages: StoredMessage[] = [];
    let next = Math.max(from, to - this.config.REPLAY_MAX_MESSAGES + 1);
    let behind = 0;
    while (next <= to) {
      const request = { conversation, from: next, to, afterPosition: since[partition]! };
      const reply = await askAgain(
        () => this.requests.request(MessageStoreRequest.repair, request),
        () => this.isHere(deliveries) && !deliveries.session.syncs,
        this.logger,
      );
      if (reply === null) break;
      for (const { seq, message } of reply.entries) {
        if (message !== null && message.position <= base[partition]!) messages.push(message);
        next = seq + 1;
      }
      if (!knowsUpTo(to, reply)) await pause(pauseAfter(behind++));
      else if (reply.entries.length === 0) break;
    }
    return messages;
  }

  /** Without what a group held before the user became a member: their gateway may have died before it kept that. */
  private entitledTo(
    { session }: ConnectionDeliveries,
    { conversation }: Missed,
    messages: readonly StoredMessage[],
  ): readonly StoredMessage[] {
    const parsed = parseConversation(conversation);
    if (parsed.kind === 'private') return messages;
    const since = this.membership.memberSince(session.userId, parsed.groupId) ?? Infinity;
    const first = messages.findIndex(({ membershipVersion }) => membershipVersion >= since);
    return first === -1 ? [] : messages.slice(first);
  }

  /** What a group held before the user became a member is not missed by the next login. */
  private async joined(
    deliveries: ConnectionDeliveries,
    conversation: ConversationKey,
    position: number,
  ): Promise<void> {
    const isWanted = (): boolean => this.isHere(deliveries);
    const before = await askAgain(() => this.seqAt(conversation, position), isWanted, this.logger);
    if (before === null || before === 0) return;
    const partition = partitionOf(conversation, deliveries.user.base.length);
    deliveries.user.confirmed(new Map([[conversation, { seq: before, partition, position }]]), null);
  }

  /** The highest seq at or below the position. */
  private async seqAt(conversation: ConversationKey, position: number): Promise<number> {
    const newest = { conversation, before: null, after: null, limit: 1 };
    const { head } = await this.requests.request(MessageStoreRequest.history, newest);
    const after = { conversation, from: 1, to: head, afterPosition: position };
    const { entries } = await this.requests.request(MessageStoreRequest.repair, after);
    return (entries[0]?.seq ?? head + 1) - 1;
  }

  private isHere({ connection }: ConnectionDeliveries): boolean {
    return this.connections.has(connection.id);
  }

  private async confirmAndSave(): Promise<void> {
    for (const deliveries of this.connections.values()) void deliveries.confirm();
    const now = Date.now();
    for (const user of this.users.values()) {
      if (user.isToBeSaved(now, this.config.REPLAY_LEASE_MS)) this.dirty.add(user);
    }
    await this.trySave();
  }

  private async trySave(): Promise<void> {
    try {
      await this.saves.ask();
      this.outage.worked();
    } catch (error) {
      this.outage.failed(error);
    }
  }

  private async save(): Promise<void> {
    while (this.dirty.size > 0) {
      const users = [...this.dirty].slice(0, USERS_A_SAVE);
      for (const user of users) this.dirty.delete(user);
      await this.saveUsers(users);
    }
  }

  private async saveUsers(users: readonly UserDeliveries[]): Promise<void> {
    const { REPLAY_LEASE_MS: leaseMs } = this.config;
    const now = Date.now();
    const unsaved = users.map((user) => user.takeUnsaved(now, leaseMs));
    try {
      for (const entries of replaySaves(unsaved)) {
        await this.requests.request(MessageStoreRequest.saveReplay, { entries, leaseMs });
      }
    } catch (error) {
      for (const [index, user] of users.entries()) {
        user.notSaved(unsaved[index]!);
        this.dirty.add(user);
      }
      throw error;
    }
    for (const user of users) {
      user.saved(now);
      if (user.connections === 0 && !user.isUnsaved) this.users.delete(user.userId);
    }
  }
}
