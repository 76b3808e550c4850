import { setTimeout as sleep } from 'node:timers/promises';
import { DiscardPolicy, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { MembershipEvent } from '../membership/membership-event.js';
import type {
  MembershipFollower,
  MembershipPublisher,
  MembershipSubscription,
} from '../membership/membership-stream.js';
import { ensureStream, streamInfo, type WantedStream } from './ensure-stream.js';
import { MEMBERSHIP_STREAM, MEMBERSHIP_SUBJECT, MSG_ID_HEADER } from './names.js';
import type { BusConnection } from './nats-connection.js';
import { StreamReading, type StreamMessage } from './stream-reading.js';

/** Longer than any follower ought to be cut off; whoever was for longer reloads. */
const KEPT_MS = 24 * 3_600_000;
const KEPT_EVENTS = 1_000_000;
/** How long a second copy of an event is dropped; later copies are told by their version. */
const COPIES_DROPPED_MS = 600_000;
const QUEUE_MAX = 1000;
const EVENTS_AT_ONCE = 100;
const PAUSE_MS = 200;

/** Memberships over JetStream: one stream of all changes, which every follower reads from where it is. */
export class NatsMembershipStream implements MembershipPublisher, MembershipFollower {
  /** One for all, or publishes would overtake each other here. */
  private ensured: Promise<void> | null = null;
  private readonly followings = new Set<Following>();

  constructor(
    private readonly connection: BusConnection,
    private readonly options: { readonly replicas: number },
    private readonly logger: Logger,
  ) {}

  /** Rejects when it is not known whether the event is in the stream: publish it again. */
  async publish(event: MembershipEvent): Promise<void> {
    try {
      this.ensured ??= this.ensure();
      await this.ensured;
      await this.connection.jetstream.publish(MEMBERSHIP_SUBJECT, JSON.stringify(event), {
        msgID: `${Buffer.from(event.groupId).toString('base64url')}.${event.version}`,
      });
    } catch (error) {
      this.ensured = null;
      throw error;
    }
  }

  /** Resolves once the server was there, whenever that is. */
  async follow(
    onEvent: (event: MembershipEvent) => void,
    onGap: () => void,
  ): Promise<MembershipSubscription> {
    const following = new Following(this.connection, this.logger, () => this.ensure(), onEvent, onGap);
    this.followings.add(following);
    await following.begin();
    return {
      stop: async () => {
        this.followings.delete(following);
        await following.stop();
      },
    };
  }

  async close(): Promise<void> {
    await Promise.all([...this.followings].map((following) => following.stop()));
  }

  private async ensure(): Promise<void> {
    await ensureStream(this.connection.manager, streamOf(this.options.replicas));
  }
}

function streamOf(replicas: number): WantedStream {
  return {
    name: MEMBERSHIP_STREAM,
    subjects: [MEMBERSHIP_SUBJECT],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    max_age: nanos(KEPT_MS),
    max_msgs: KEPT_EVENTS,
    num_replicas: replicas,
    duplicate_window: nanos(COPIES_DROPPED_MS),
  };
}

class Following {
  private reading: StreamReading | null = null;
  private delivering: Promise<void> = Promise.resolve();
  private isStopped = false;
  /** When the stream was made that is being read. */
  private madeAt = '';

  constructor(
    private readonly connection: BusConnection,
    private readonly logger: Logger,
    private readonly ensure: () => Promise<void>,
    private readonly onEvent: (event: MembershipEvent) => void,
    private readonly onGap: () => void,
  ) {}

  async begin(): Promise<void> {
    while (!this.isStopped) {
      try {
        const after = await this.newest();
        this.reading = await StreamReading.open({
          connection: this.connection,
          stream: MEMBERSHIP_STREAM,
          after,
          queueMax: QUEUE_MAX,
          logger: this.logger,
          beforeReopening: (position, last) => this.goOnAfter(position, last),
        });
        this.delivering = this.deliver(this.reading);
        return;
      } catch (err) {
        if (this.connection.isClosed) throw err;
        this.logger.warn({ err }, 'memberships cannot be followed yet');
        await sleep(PAUSE_MS);
      }
    }
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.reading?.close();
    await this.delivering;
  }

  private async deliver(reading: StreamReading): Promise<void> {
    for (;;) {
      const messages = await reading.next(EVENTS_AT_ONCE);
      if (messages.length === 0) return;
      for (const message of messages) {
        if (this.isStopped) return;
        this.tell(message);
      }
    }
  }

  private tell({ position, data }: StreamMessage): void {
    try {
      this.onEvent(JSON.parse(new TextDecoder().decode(data)) as MembershipEvent);
    } catch (err) {
      this.logger.error({ err, position }, 'a follower of memberships failed on an event');
    }
  }

  private async newest(): Promise<number> {
    await this.ensure();
    const info = await streamInfo(this.connection.manager, MEMBERSHIP_STREAM);
    if (info === null) throw new Error('the stream of memberships is gone');
    this.madeAt = info.created;
    return info.state.last_seq;
  }

  /** After the last event, if the stream still is the one that it came from and holds all since; else a gap. */
  private async goOnAfter(position: number, last: StreamMessage | null): Promise<number> {
    const { manager } = this.connection;
    const info = await streamInfo(manager, MEMBERSHIP_STREAM);
    if (info?.created === this.madeAt && info.state.last_seq >= position) {
      if (info.state.first_seq <= position + 1 && (await this.holds(last))) return position;
    }
    this.logger.warn({ position }, 'events of memberships may have been missed');
    const newest = await this.newest();
    // Before the first event after it is delivered: what the gap makes be loaded again is newer than what was missed.
    this.onGap();
    return newest;
  }

  private async holds(last: StreamMessage | null): Promise<boolean> {
    if (last === null) return true;
    const message = await this.connection.manager.streams.getMessage(MEMBERSHIP_STREAM, {
      seq: last.position,
    });
    // It may have been removed by age, which is nothing that was missed.
    return message === null || message.header?.get(MSG_ID_HEADER) === last.headers?.get(MSG_ID_HEADER);
  }
}
