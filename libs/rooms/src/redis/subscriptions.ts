import type { RedisClient } from '@starling/redis';
import type { Logger } from 'pino';

export type ChannelListener = (message: Buffer, channel: Buffer) => void;

const TRY_AGAIN_MS = 100;

/** What is wanted of one channel, and how far Redis is known to have followed. */
interface Channel {
  listener: ChannelListener | null;
  subscribed: boolean;
  /** A command is under way; the next one follows it, so that they can't overtake each other. */
  moving: boolean;
  waiting: (() => void)[];
}

/**
 * The subscriber as the adapter sees it (`sSubscribe`, `sUnsubscribe`), which neither waits for an answer nor minds a
 * failure: here each channel is brought to what was wanted of it last, as often as it takes, and who needs to know
 * waits for Redis's confirmation. Subscriptions that were confirmed are made again by the client when it reconnects.
 */
export class Subscriptions {
  private readonly channels = new Map<string, Channel>();
  private readonly failed = new Set<string>();
  private tryingAgain: NodeJS.Timeout | null = null;

  /** The client must let commands wait while Redis is away. */
  constructor(
    private readonly subscriber: RedisClient,
    private readonly logger: Logger,
  ) {}

  sSubscribe(name: string, listener: ChannelListener): Promise<void> {
    let channel = this.channels.get(name);
    if (channel === undefined) {
      channel = { listener, subscribed: false, moving: false, waiting: [] };
      this.channels.set(name, channel);
    }
    channel.listener = listener;
    this.move(name, channel);
    return Promise.resolve();
  }

  sUnsubscribe(names: string | string[]): Promise<void> {
    for (const name of [names].flat()) {
      const channel = this.channels.get(name);
      if (channel === undefined) continue;
      channel.listener = null;
      this.move(name, channel);
    }
    return Promise.resolve();
  }

  /** Null when it is; else resolves when it is, or when nobody wants it any more. */
  confirmed(name: string): Promise<void> | null {
    const channel = this.channels.get(name);
    if (channel === undefined || channel.listener === null) return null;
    // While something moves it may be the end of an earlier subscription.
    if (channel.subscribed && !channel.moving) return null;
    return new Promise((resolve) => channel.waiting.push(resolve));
  }

  private move(name: string, channel: Channel): void {
    if (channel.moving) return;
    const { listener, subscribed } = channel;
    if ((listener !== null) === subscribed) {
      for (const resolve of channel.waiting.splice(0)) resolve();
      if (listener === null) this.channels.delete(name);
      return;
    }
    channel.moving = true;
    const command =
      listener === null
        ? this.subscriber.sUnsubscribe(name)
        : this.subscriber.sSubscribe(name, listener, true);
    command.then(
      () => {
        channel.moving = false;
        channel.subscribed = !subscribed;
        this.move(name, channel);
      },
      (err: unknown) => {
        channel.moving = false;
        this.tryAgain(name, err);
      },
    );
  }

  /** The connection was lost with the command under way, or Redis refuses it. */
  private tryAgain(failed: string, err: unknown): void {
    this.failed.add(failed);
    if (this.tryingAgain !== null) return;
    if (this.subscriber.isReady) this.logger.warn({ err }, 'Redis refuses subscriptions; trying again');
    this.tryingAgain = setTimeout(() => {
      this.tryingAgain = null;
      if (!this.subscriber.isOpen) return;
      const names = [...this.failed];
      this.failed.clear();
      for (const name of names) {
        const channel = this.channels.get(name);
        if (channel !== undefined) this.move(name, channel);
      }
    }, TRY_AGAIN_MS).unref();
  }
}
