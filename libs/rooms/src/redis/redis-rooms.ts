import { createShardedAdapter } from '@socket.io/redis-adapter';
import type { RedisClient } from '@starling/redis';
import type { Logger } from 'pino';
import { Counter, type Registry } from 'prom-client';
import { Adapter } from 'socket.io-adapter';
import { type AdapterConstructor, roomAdapter, type RoomEventHandler } from '../room-adapter.js';
import type { RoomEvent } from '../room-event.js';
import type { RoomMembers } from '../room-members.js';
import type { RoomName } from '../room-names.js';
import { channelPrefix, roomChannel } from './room-channel.js';
import { decodeEvent } from './room-event-wire.js';
import { Subscriptions } from './subscriptions.js';

/** How long a join waits for Redis. A login should not fail for a hint's sake, nor wait longer than people do. */
const CONFIRM_PATIENCE_MS = 1_000;
/** One notice for all confirmations that come late together. */
const LATE_NOTICE_MS = 50;

/**
 * Publishes nothing: events go out by the emitter, and nothing else of one pod concerns another. What a Socket.IO
 * server asks of its adapter stays here with it, be it that all sockets are to be disconnected.
 */
const SILENT_PUBLISHER = { sSubscribe: () => undefined, sPublish: () => Promise.resolve(0) };

/**
 * The rooms of one pod: members on Socket.IO's sharded Redis adapter, which is subscribed to the rooms that have a
 * member here and to no other.
 */
export class RedisRooms implements RoomMembers {
  private adapter: Adapter | null = null;
  private readonly subscriptions: Subscriptions;
  private handler: RoomEventHandler = () => undefined;
  private cutHandler: () => void = () => undefined;
  private lateNotice: NodeJS.Timeout | null = null;

  /** What the Socket.IO server takes as its `adapter`; the root namespace's becomes the rooms. */
  readonly Adapter: AdapterConstructor;

  /** The client must let commands wait while Redis is away; it is for these rooms alone. */
  constructor(
    subscriber: RedisClient,
    private readonly installation: string,
    private readonly logger: Logger,
    metrics: Registry,
  ) {
    this.subscriptions = new Subscriptions(subscriber, logger);
    // By then the client has had its subscriptions confirmed again.
    subscriber.on('ready', () => this.cutHandler());
    const received = new Counter({
      name: 'starling_room_events_received_total',
      help: 'Room events that reached this process over Redis',
      registers: [metrics],
    });
    const create = createShardedAdapter(SILENT_PUBLISHER, this.subscriptions, {
      channelPrefix: channelPrefix(installation),
      subscriptionMode: 'dynamic',
    });
    this.Adapter = roomAdapter({
      create,
      createOther: (namespace) => new Adapter(namespace),
      attach: (adapter) => (this.adapter = adapter),
      eventOf: (data) => this.read(data),
      handle: (room, event) => {
        received.inc();
        this.hand(room, event);
      },
    });
  }

  async join(connectionId: string, rooms: RoomName[]): Promise<void> {
    await this.attached.addAll(connectionId, new Set(rooms));
    const waits = rooms
      .map((room) => this.subscriptions.confirmed(roomChannel(this.installation, room)))
      .filter((wait) => wait !== null);
    if (waits.length > 0) await this.confirmation(Promise.all(waits));
  }

  leave(connectionId: string, room: RoomName): void {
    void this.attached.del(connectionId, room);
  }

  drop(connectionId: string): void {
    this.attached.delAll(connectionId);
  }

  membersOf(room: RoomName): ReadonlySet<string> | undefined {
    return this.adapter?.rooms.get(room);
  }

  onEvent(handler: RoomEventHandler): void {
    this.handler = handler;
  }

  onCut(handler: () => void): void {
    this.cutHandler = handler;
  }

  private async confirmation(confirmed: Promise<unknown>): Promise<void> {
    const { promise: patience, resolve } = Promise.withResolvers<'late'>();
    const timer = setTimeout(resolve, CONFIRM_PATIENCE_MS, 'late');
    const first = await Promise.race([confirmed, patience]);
    clearTimeout(timer);
    if (first === 'late') void confirmed.then(() => this.noticeLate());
  }

  private noticeLate(): void {
    this.lateNotice ??= setTimeout(() => {
      this.lateNotice = null;
      this.cutHandler();
    }, LATE_NOTICE_MS).unref();
  }

  private read(data: readonly unknown[]): RoomEvent | null {
    const event = decodeEvent(data);
    if (event === null) this.logger.warn('a room event of an unknown kind was dropped');
    return event;
  }

  /** What is thrown here would reach the client's parser, which then loses its place in the stream. */
  private hand(room: RoomName, event: RoomEvent): void {
    try {
      this.handler(room, event);
    } catch (err) {
      this.logger.error({ err, room }, 'a room event could not be taken');
    }
  }

  private get attached(): Adapter {
    if (!this.adapter)
      throw new Error('rooms are used before the Socket.IO server was created with their Adapter');
    return this.adapter;
  }
}
