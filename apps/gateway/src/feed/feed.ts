import { Inject, Injectable } from '@nestjs/common';
import {
  MessageStoreRequest,
  partitionOf,
  REQUEST_CLIENT,
  type Positions,
  type RepairEntry,
  type RepairReply,
  type RepairRequest,
  type RequestClient,
  type TouchedConversation,
} from '@starling/bus';
import { CONFIG, type Config } from '@starling/config';
import { LOGGER, TRACER, type Tracer } from '@starling/observability';
import { groupConversation, type ConversationKey } from '@starling/protocol';
import { ROOM_MEMBERS, roomsOf, type MessageEvent, type RoomMembers, type RoomName } from '@starling/rooms';
import type { Logger } from 'pino';
import type { Connection } from '../connection/connection.js';
import { KnownVersions } from './known-versions.js';
import { askAgain, pause, pauseAfter } from './ask-again.js';
import { CheckedPositions } from './checked-positions.js';
import { ConversationFeed } from './conversation-feed.js';
import { Delivery, type FeedMessage, type Tombstone } from './delivery.js';
import { FeedMetrics } from './feed-metrics.js';
import type { Lane } from './lane.js';
import { Listener, type DeliveryObserver, type Memberships } from './listener.js';
import { highest, isAtLeast } from './positions.js';
import { knowsUpTo } from './repair-reply.js';
import { Turnstile } from './turnstile.js';

/** What the store made of a submit: the message's first packet, also when this one was a retry. */
export interface StoredOutcome {
  readonly conversation: ConversationKey;
  readonly seq: number;
  readonly messageId: string;
}

export interface Arrival {
  /** Conversations of which earlier messages come by `replay`; what is live waits for that. */
  readonly replaying: readonly ConversationKey[];
  readonly observer: DeliveryObserver | null;
}

export interface Joined {
  /** Read after the room was confirmed. */
  readonly positions: Positions;
  /** The group's version with which the user became a member. */
  readonly version: number;
  /** What was said in the group since then, up to `positions`, in seq order, as far as it is due. */
  readonly earlier: readonly FeedMessage[];
}

const NOTHING_TO_REPLAY: Arrival = { replaying: [], observer: null };

/** How long messages wait for a group's version before its members are asked for. */
const HOLD_PATIENCE_MS = 1000;

/**
 * After a cut thousands of conversations have something to pull; the store reads with the connections that it
 * commits with.
 */
const REPAIRS_AT_ONCE = 16;

/**
 * What this pod has delivered of each conversation with local listeners: every message in seq order, each
 * once, to every connection whose base is below it. Broadcasts are hints; what they lack is pulled from the
 * store, once for the pod.
 */
@Injectable()
export class Feed {
  readonly checked = new CheckedPositions();
  private readonly listeners = new Map<string, Listener>();
  private readonly conversations = new Map<ConversationKey, ConversationFeed>();
  private readonly byRoom = new Map<RoomName, Set<ConversationFeed>>();
  /** Conversations that wait for a listener's base to know where to begin. */
  private readonly unstarted = new Set<ConversationFeed>();
  /** By group: what to go on with when its membership is known. */
  private readonly held = new Map<string, { timer: NodeJS.Timeout; lanes: Map<Lane, Listener> }>();
  private readonly repairs = new Turnstile(REPAIRS_AT_ONCE);
  /** The store had committed this. Whoever begins later has a base at or above it. */
  private known: Positions | null = null;
  /** Everything at or below it has been delivered to whom it was due. */
  private settled: Positions | null = null;

  constructor(
    @Inject(ROOM_MEMBERS) private readonly rooms: RoomMembers,
    @Inject(REQUEST_CLIENT) private readonly requests: RequestClient,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly versions: KnownVersions,
    private readonly metrics: FeedMetrics,
    @Inject(TRACER) private readonly tracer: Tracer | null,
  ) {
    versions.onAdvance((groupId) => this.resume(groupId));
    metrics.conversations.set(0);
  }

  /** Before the connection's rooms are joined; its session is set. What arrives from now on waits for `attach`. */
  begin(connection: Connection, memberships: Memberships): void {
    const { session } = connection;
    if (session === null) throw new Error('the feed was begun for a connection without a session');
    this.listeners.set(connection.id, new Listener(connection, session.userId, this.known, memberships));
  }

  /**
   * The connection gets what is above `base`, positions read after its rooms were confirmed, beginning with what
   * waited. No effect when it has left.
   */
  attach(connection: Connection, base: Positions, arrival = NOTHING_TO_REPLAY): void {
    const listener = this.listeners.get(connection.id);
    if (listener === undefined || listener.base !== null) return;
    listener.observer = arrival.observer;
    for (const conversation of arrival.replaying) {
      const lane = listener.lanes.get(conversation) ?? this.openLane(listener, conversation);
      // A group that was left and joined again meanwhile begins where it was joined.
      if (lane.gate === null && !listener.joined.has(conversation)) lane.gate = 'replay';
    }
    for (const lane of listener.lanes.values()) {
      if (lane.gate === 'joining') continue;
      lane.entitle(listener.entitlementIn(lane, base));
    }
    this.known = highest(this.known, base);
    this.checked.include(base);
    // What was settled since `begin` and is above `base` waits in the lanes already.
    listener.base = highest(listener.bound, base);
    for (const lane of listener.lanes.values()) this.flow(listener, lane);
    this.startUnstarted();
  }

  /** After the connection left its rooms, which are named. */
  detach(connection: Connection, rooms: readonly RoomName[]): void {
    const listener = this.listeners.get(connection.id);
    if (listener === undefined) return;
    this.listeners.delete(connection.id);
    for (const lane of listener.lanes.values()) this.dropLane(listener, lane);
    for (const room of rooms) {
      for (const feed of this.byRoom.get(room) ?? []) this.endIfAbandoned(feed);
    }
    this.startUnstarted();
    if (this.listeners.size === 0) this.checked.forget();
  }

  /** Before a bound connection joins the group's room: its messages wait for `joinGroup`. */
  beginGroup(connection: Connection, groupId: string): void {
    const listener = this.listeners.get(connection.id);
    if (listener === undefined) return;
    const conversation = groupConversation(groupId);
    this.forgetGroup(listener, conversation);
    const lane = this.openLane(listener, conversation);
    lane.gate = 'joining';
    lane.bound = this.known;
  }

  /** After `beginGroup`. No effect when the connection has left the group again. */
  joinGroup(connection: Connection, groupId: string, { positions, version, earlier }: Joined): void {
    const listener = this.listeners.get(connection.id);
    const conversation = groupConversation(groupId);
    const lane = listener?.lanes.get(conversation);
    if (listener === undefined || lane?.gate !== 'joining') return;
    const position = positions[partitionOf(conversation, positions.length)]!;
    listener.joined.set(conversation, { position, version });
    lane.gate = null;
    this.known = highest(this.known, positions);
    this.checked.include(positions);
    listener.observer?.joined(conversation, earlier[0]?.previousPosition ?? position);
    lane.replay(earlier);
    if (listener.base === null) return;
    // Not by the listener's base: what waits here may have been settled for everybody else since.
    lane.entitle({ base: positions, position, version });
    this.flow(listener, lane);
    this.startUnstarted();
  }

  /** After a connection left the group's room. */
  leaveGroup(connection: Connection, groupId: string): void {
    const conversation = groupConversation(groupId);
    const listener = this.listeners.get(connection.id);
    if (listener !== undefined) this.forgetGroup(listener, conversation);
    const feed = this.conversations.get(conversation);
    if (feed !== undefined) this.endIfAbandoned(feed);
    this.startUnstarted();
  }

  /** The messages that a conversation of `Arrival.replaying` held while the client was away, in seq order. */
  replay(connection: Connection, conversation: ConversationKey, messages: readonly FeedMessage[]): void {
    const listener = this.listeners.get(connection.id);
    const lane = listener?.lanes.get(conversation);
    if (listener === undefined || lane?.gate !== 'replay') return;
    lane.gate = null;
    lane.replay(messages);
    this.metrics.replayed.inc(messages.length);
    this.flow(listener, lane);
  }

  /** Before each submit: the connection's own copy of the message waits for its answer. */
  submitting(connection: Connection, messageId: string): void {
    this.listeners.get(connection.id)?.own.submitting(messageId);
  }

  /**
   * After the answer was sent. `outcome` null: refused or unknown, no answer showed the message; its copy goes out
   * if it comes. To be called for each `submitting`.
   */
  answered(connection: Connection, messageId: string, outcome: StoredOutcome | null): void {
    const listener = this.listeners.get(connection.id);
    if (listener === undefined) return;
    const waiting = listener.own.answered(messageId);
    if (outcome !== null && !this.hasPassed(listener, outcome)) {
      listener.own.acknowledge(outcome.messageId, this.checked.round);
      const lane = listener.lanes.get(outcome.conversation);
      if (lane !== undefined && lane !== waiting) this.flow(listener, lane);
    }
    if (waiting !== null) this.flow(listener, waiting);
  }

  /** A broadcast came to a room with local members. The second copy of a private message is dropped here. */
  receive(event: MessageEvent): void {
    const feed = this.conversations.get(event.conversation) ?? this.openFor(event);
    if (feed === null) return;
    if (feed.delivered !== null && event.seq <= feed.delivered) {
      this.metrics.duplicates.inc();
      return;
    }
    if (feed.target < event.seq) feed.target = event.seq;
    if (feed.delivered === event.seq - 1 && feed.pending.size === 0 && !this.isHeld(feed.groupId, event)) {
      this.deliver(feed, new Delivery(event));
      return;
    }
    if (!feed.pending.add(new Delivery(event))) this.metrics.duplicates.inc();
    this.advance(feed);
  }

  /** Whether the store has a message for local listeners that this pod has not delivered. */
  isBehind({ conversation, partition, head, headPosition }: TouchedConversation): boolean {
    const feed = this.conversations.get(conversation);
    if (feed !== undefined) return feed.delivered === null || feed.delivered < head;
    const floor = this.floorOf(conversation, partition, roomsOf(conversation));
    return floor === null || (floor !== undefined && floor < headPosition);
  }

  /** Pulls what the conversation lacks up to its head, if anything. */
  catchUp(touched: TouchedConversation): void {
    if (!this.isBehind(touched)) return;
    const feed =
      this.conversations.get(touched.conversation) ?? this.open(touched.conversation, touched.partition);
    if (feed.target < touched.head) feed.target = touched.head;
    this.advance(feed);
  }

  /**
   * The store was asked for everything from `after` up to `reached`, in the check `round`, and `catchUp` called for
   * what was behind. What is delivered up to there need not be remembered conversation by conversation. False
   * when somebody here may be due something from before `after`: then the next check must begin there.
   */
  settle(after: Positions, reached: Positions, round: number): boolean {
    this.known = highest(this.known, reached);
    if (!this.isCovered(after)) return false;
    const settled = [...reached];
    for (const feed of this.conversations.values()) {
      if (!feed.isBehind) continue;
      const limit = feed.delivered === null ? (this.floorOfFeed(feed) ?? 0) : feed.deliveredPosition;
      settled[feed.partition] = Math.min(settled[feed.partition]!, limit);
    }
    const complete = settled.every((position, partition) => position === reached[partition]);
    this.settled = highest(this.settled, settled);
    for (const listener of this.listeners.values()) {
      if (listener.base === null) {
        listener.bound = highest(listener.bound, this.settled);
        continue;
      }
      listener.base = highest(listener.base, this.settled);
      if (listener.lanes.size === 0) listener.observer?.settled(this.settled);
      // What waits in a lane has passed the feed, but not this listener.
      if (complete && listener.lanes.size === 0) listener.own.settled(round);
    }
    for (const feed of this.conversations.values()) {
      if (!feed.isBehind && feed.deliveredPosition <= this.settled[feed.partition]!) this.end(feed);
    }
    return true;
  }

  /** Whether a check that began at `after` found everything that is due to anybody here. */
  private isCovered(after: Positions): boolean {
    if (!this.checked.coversRound(after)) return false;
    for (const { base, bound, lanes } of this.listeners.values()) {
      if (base === null && !isAtLeast(bound, after)) return false;
      for (const lane of lanes.values()) {
        if (lane.gate === 'joining' && !isAtLeast(lane.bound, after)) return false;
      }
    }
    return true;
  }

  get hasListeners(): boolean {
    return this.listeners.size > 0;
  }

  private openFor(event: MessageEvent): ConversationFeed | null {
    const { conversation, partition, position } = event;
    const floor = this.floorOf(conversation, partition, roomsOf(conversation));
    if (floor === undefined) return null;
    if (floor !== null && position <= floor) {
      this.metrics.duplicates.inc();
      return null;
    }
    return this.open(conversation, partition);
  }

  private open(conversation: ConversationKey, partition: number): ConversationFeed {
    const feed = new ConversationFeed(conversation, partition, this.config.FEED_BUFFER_MAX);
    this.conversations.set(conversation, feed);
    for (const room of feed.rooms) {
      const inRoom = this.byRoom.get(room);
      if (inRoom === undefined) this.byRoom.set(room, new Set([feed]));
      else inRoom.add(feed);
    }
    this.metrics.conversations.inc();
    return feed;
  }

  private end(feed: ConversationFeed): void {
    feed.ended = true;
    this.conversations.delete(feed.conversation);
    this.unstarted.delete(feed);
    for (const room of feed.rooms) {
      const inRoom = this.byRoom.get(room);
      inRoom?.delete(feed);
      if (inRoom?.size === 0) this.byRoom.delete(room);
    }
    this.metrics.conversations.dec();
  }

  private endIfAbandoned(feed: ConversationFeed): void {
    if (feed.rooms.every((room) => (this.rooms.membersOf(room)?.size ?? 0) === 0)) this.end(feed);
  }

  /** Below it nothing is due to any listener; null while that is unknown, undefined without listeners. */
  private floorOf(
    conversation: ConversationKey,
    partition: number,
    rooms: readonly RoomName[],
  ): number | null | undefined {
    let lowest: number | undefined;
    for (const room of rooms) {
      for (const id of this.rooms.membersOf(room) ?? []) {
        const floor = this.listeners.get(id)?.floorIn(conversation, partition);
        if (floor === null) return null;
        if (floor !== undefined && (lowest === undefined || floor < lowest)) lowest = floor;
      }
    }
    return lowest;
  }

  private floorOfFeed({ conversation, partition, rooms }: ConversationFeed): number | null | undefined {
    return this.floorOf(conversation, partition, rooms);
  }

  /** Delivers what is due, and pulls what is missing before the rest. */
  private advance(feed: ConversationFeed): void {
    if (feed.ended || !this.isStarted(feed)) return;
    for (let next = feed.pending.first; next !== undefined; next = feed.pending.first) {
      if (next.seq > feed.delivered + 1) break;
      if (next.seq === feed.delivered + 1) {
        if (next.message !== null && this.isHeld(feed.groupId, next.message)) return;
        feed.pending.shift();
        this.deliver(feed, next);
      } else {
        feed.pending.shift();
      }
      if (feed.ended) return;
    }
    if (!feed.isBehind) return;
    const to = feed.pending.first === undefined ? feed.target : feed.pending.first.seq - 1;
    void this.pull(feed, feed.delivered + 1, to, 0);
  }

  /** Finds the seq to begin with, or pulls it. */
  private isStarted(feed: ConversationFeed): feed is ConversationFeed & { delivered: number } {
    if (feed.delivered !== null) return true;
    const floor = this.floorOfFeed(feed);
    if (floor === null || floor === undefined) {
      this.unstarted.add(feed);
      return false;
    }
    this.unstarted.delete(feed);
    const first = feed.pending.first;
    if (first?.message && first.message.previousPosition <= floor) {
      feed.delivered = first.seq - 1;
      feed.deliveredPosition = first.message.previousPosition;
      return true;
    }
    void this.pull(feed, 1, first === undefined ? feed.target : first.seq - 1, floor);
    return false;
  }

  private startUnstarted(): void {
    for (const feed of this.unstarted) this.advance(feed);
  }

  private async pull(feed: ConversationFeed, from: number, to: number, afterPosition: number): Promise<void> {
    if (feed.pulling) return;
    feed.pulling = true;
    if (feed.pullsInVain > 0) await pause(pauseAfter(feed.pullsInVain));
    const { conversation } = feed;
    const reply = await this.repair({ conversation, from, to, afterPosition }, () => !feed.ended);
    feed.pulling = false;
    if (reply === null || feed.ended) return;
    const before = feed.delivered;
    const isWhole = knowsUpTo(to, reply);
    if (feed.delivered === null && (isWhole || reply.entries.length > 0)) {
      feed.delivered = (reply.entries[0]?.seq ?? to + 1) - 1;
      feed.deliveredPosition = afterPosition;
    }
    for (const entry of reply.entries) this.takeRepaired(feed, entry);
    feed.pullsInVain = isWhole && feed.delivered !== before ? 0 : feed.pullsInVain + 1;
    this.advance(feed);
  }

  /** Null when the answer is not wanted any more. A pause between two tries takes no place from others. */
  private repair(asked: RepairRequest, isWanted: () => boolean): Promise<RepairReply | null> {
    const ask = async (): Promise<RepairReply | null> =>
      isWanted() ? await this.requests.request(MessageStoreRequest.repair, asked) : null;
    return askAgain(() => this.repairs.pass(ask), isWanted, this.logger);
  }

  private takeRepaired(feed: ConversationFeed, { seq, message }: RepairEntry): void {
    if (seq <= feed.delivered!) return;
    const item = message === null ? { seq, message } : new Delivery(message);
    const isDue = seq === feed.delivered! + 1;
    if (isDue && (message === null || !this.isHeld(feed.groupId, message))) this.deliver(feed, item);
    else feed.pending.add(item);
    this.metrics.repaired.inc();
  }

  private deliver(feed: ConversationFeed, item: Delivery | Tombstone): void {
    feed.delivered = item.seq;
    if (item.message === null) return;
    feed.deliveredPosition = item.message.position;
    const { traceparent: parent } = item.message;
    const span = parent === undefined ? null : this.tracer?.start('deliver', { parent, role: 'consumer' });
    let written = 0;
    for (const room of feed.rooms) {
      const members = this.rooms.membersOf(room);
      if (members === undefined) continue;
      for (const id of members) {
        const listener = this.listeners.get(id);
        if (listener !== undefined && this.deliverTo(listener, item, feed.groupId)) written++;
      }
    }
    this.metrics.deliveries.inc(written);
    span?.end({ 'starling.connections': written });
  }

  private deliverTo(listener: Listener, delivery: Delivery, groupId: string | null): boolean {
    const { message } = delivery;
    const lane = listener.lanes.size === 0 ? undefined : listener.lanes.get(message.conversation);
    if (lane !== undefined) {
      lane.push(delivery);
      return false;
    }
    if (listener.base === null) {
      this.openLane(listener, message.conversation).push(delivery);
      return false;
    }
    if (!listener.wants(message, groupId)) return false;
    if (message.sender === listener.userId && listener.own.isUndecided(message.messageId)) {
      const waiting = this.openLane(listener, message.conversation);
      waiting.entitle(listener.entitlementIn(waiting, listener.base));
      waiting.push(delivery);
      listener.own.await(message.messageId, waiting);
      return false;
    }
    return this.write(listener, delivery);
  }

  private write(listener: Listener, delivery: Delivery): boolean {
    const { connection } = listener;
    const { message } = delivery;
    if (!connection.isOpen) return false;
    const isItMe = message.sender === listener.userId;
    if (isItMe && listener.own.takeAcknowledged(message.messageId)) {
      listener.observer?.delivered(message);
      return false;
    }
    try {
      connection.write(delivery.frame(connection.form, isItMe));
    } catch (error) {
      // Going on would leave a hole in what this client sees.
      this.logger.error({ err: error, connection: connection.id }, 'a message could not be written');
      connection.close('INTERNAL');
      return false;
    }
    listener.observer?.delivered(message);
    return true;
  }

  private openLane(listener: Listener, conversation: ConversationKey): Lane {
    return listener.openLane(conversation, this.config.FEED_BUFFER_MAX);
  }

  /** Writes what waits in a lane as far as it may go out; an empty lane ends. */
  private flow(listener: Listener, lane: Lane): void {
    if (listener.base === null || lane.gate !== null) return;
    if (listener.lanes.get(lane.conversation) !== lane) return;
    let written = 0;
    for (let next = lane.first; next !== undefined; next = lane.first) {
      const { message } = next;
      if (this.isLaneHeld(listener, lane, message)) break;
      if (message.sender === listener.userId && listener.own.isUndecided(message.messageId)) {
        listener.own.await(message.messageId, lane);
        break;
      }
      lane.shift();
      if (this.write(listener, next)) written++;
    }
    this.metrics.deliveries.inc(written);
    if (lane.first !== undefined) return;
    if (lane.missing === null) this.dropLane(listener, lane);
    else void this.pullFor(listener, lane, lane.missing);
  }

  private async pullFor(
    listener: Listener,
    lane: Lane,
    { from, to }: { from: number; to: number },
  ): Promise<void> {
    if (lane.pulling) return;
    lane.pulling = true;
    const { conversation } = lane;
    const isWanted = (): boolean => listener.lanes.get(conversation) === lane;
    if (lane.pullsInVain > 0) await pause(pauseAfter(lane.pullsInVain));
    const reply = await this.repair({ conversation, from, to, afterPosition: 0 }, isWanted);
    lane.pulling = false;
    if (reply === null || !isWanted()) return;
    for (const { seq, message } of reply.entries) lane.pulled(seq, message && new Delivery(message));
    lane.pullsInVain = knowsUpTo(to, reply) && reply.entries.length > 0 ? 0 : lane.pullsInVain + 1;
    this.metrics.repaired.inc(reply.entries.length);
    this.flow(listener, lane);
  }

  private dropLane(listener: Listener, lane: Lane): void {
    listener.lanes.delete(lane.conversation);
    for (const { lanes } of this.held.values()) lanes.delete(lane);
  }

  private forgetGroup(listener: Listener, conversation: ConversationKey): void {
    listener.joined.delete(conversation);
    const lane = listener.lanes.get(conversation);
    if (lane !== undefined) this.dropLane(listener, lane);
  }

  private hasPassed(listener: Listener, { conversation, seq }: StoredOutcome): boolean {
    const lane = listener.lanes.get(conversation);
    // Behind a gate that is still closed, earlier messages may be put in front.
    if (lane !== undefined) return lane.gate === null && lane.hasPassed(seq);
    const delivered = this.conversations.get(conversation)?.delivered ?? null;
    return delivered !== null && seq <= delivered;
  }

  private isHeld(groupId: string | null, message: FeedMessage): boolean {
    if (groupId === null || this.versions.hasReached(groupId, message.membershipVersion)) return false;
    this.hold(groupId);
    return true;
  }

  private isLaneHeld(listener: Listener, lane: Lane, message: FeedMessage): boolean {
    if (lane.groupId === null || this.versions.hasReached(lane.groupId, message.membershipVersion))
      return false;
    this.hold(lane.groupId).lanes.set(lane, listener);
    return true;
  }

  private hold(groupId: string): { lanes: Map<Lane, Listener> } {
    const held = this.held.get(groupId);
    if (held !== undefined) return held;
    this.metrics.held.inc();
    const isOver = () => {
      if (this.held.get(groupId) !== begun) return;
      // Whoever still waits holds again, and asks again after the same time.
      this.held.delete(groupId);
      this.versions.lagsBehind(groupId);
      this.resumeWith(groupId, begun.lanes);
    };
    // After what has come meanwhile was read: it is this process, too, that can have stood still.
    const timer = setTimeout(() => setImmediate(isOver), HOLD_PATIENCE_MS).unref();
    const begun = { timer, lanes: new Map<Lane, Listener>() };
    this.held.set(groupId, begun);
    return begun;
  }

  private resume(groupId: string): void {
    const held = this.held.get(groupId);
    if (held === undefined) return;
    clearTimeout(held.timer);
    this.held.delete(groupId);
    this.resumeWith(groupId, held.lanes);
  }

  private resumeWith(groupId: string, lanes: ReadonlyMap<Lane, Listener>): void {
    const feed = this.conversations.get(groupConversation(groupId));
    if (feed !== undefined) this.advance(feed);
    for (const [lane, listener] of lanes) this.flow(listener, lane);
  }
}
