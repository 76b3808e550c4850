import { NatsContext, type NatsOptions as NestNatsOptions, ServerNats } from '@nestjs/microservices';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { Refusal } from '@starling/protocol';
import { refusalOnBus } from '../requests/refusal-filter.js';
import { leaveSilentServers } from './silent-server.js';

const TICK_MS = 250;

/**
 * The server's side of requests between services: Nest's own transport, but for a process that stood still (stopped,
 * swapped out, its machine asleep). What it then finds waiting was asked so long ago that whoever asked may have given
 * up and done something else since; to carry it out now would undo that. So everything that NATS had sent before the
 * process moved again is refused.
 */
export class NatsRequestServer extends ServerNats {
  private readonly ticking: NodeJS.Timeout;
  private lastTick = performance.now();
  /** How often it stood still, and how often all of before has come since. */
  private stops = 0;
  private freshSince = 0;

  /** @param stillMs Less than callers wait for a reply. */
  constructor(
    options: NonNullable<NestNatsOptions['options']>,
    private readonly stillMs: number,
  ) {
    super(options);
    this.ticking = setInterval(() => this.look(), TICK_MS).unref();
  }

  override async createNatsClient(): Promise<NatsConnection> {
    return leaveSilentServers((await super.createNatsClient()) as NatsConnection);
  }

  override async handleMessage(channel: string, message: Msg): Promise<unknown> {
    this.look();
    if (this.freshSince === this.stops) return super.handleMessage(channel, message);
    const { id } = message.json<{ id?: string }>();
    const err = refusalOnBus(new Refusal('UNAVAILABLE'));
    if (id !== undefined)
      this.getPublisher(
        message,
        id,
        new NatsContext([message.subject, message.headers]),
      )({ err, isDisposed: true });
    return undefined;
  }

  /** For readiness: rejects unless NATS answers where the requests come in. */
  async check(): Promise<void> {
    await this.unwrap<NatsConnection>().rtt();
  }

  override async close(): Promise<void> {
    clearInterval(this.ticking);
    await super.close();
  }

  private look(): void {
    const now = performance.now();
    const stillMs = now - this.lastTick;
    this.lastTick = now;
    if (stillMs < this.stillMs) return;
    void this.freshAfter(++this.stops);
  }

  /** When NATS answers a ping, everything that it had sent before has come. */
  private async freshAfter(stop: number): Promise<void> {
    try {
      await this.unwrap<NatsConnection>().flush();
    } catch {
      // Not connected any more: nothing of before will come.
    }
    this.freshSince = stop;
  }
}
