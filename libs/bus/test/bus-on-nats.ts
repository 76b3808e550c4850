import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { startNats, type Engine } from '@starling/testing';
import { pino } from 'pino';
import { BusConnection } from '../src/nats/nats-connection.js';
import { NatsSubmitLog } from '../src/nats/nats-submit-log.js';
import { NatsSubmitPublisher } from '../src/nats/nats-submit-publisher.js';

export const SILENT = pino({ level: 'silent' });

/** A real nats-server, and connections to it as processes of their own would have them. */
export class BusOnNats {
  private readonly opened: { close(): Promise<unknown> | void }[] = [];

  private constructor(readonly engine: Engine) {}

  static async start(): Promise<BusOnNats> {
    return new BusOnNats(await startNats());
  }

  async connect(name = 'test'): Promise<BusConnection> {
    return this.closedAfter(await BusConnection.open({ servers: [this.engine.url], name }, SILENT));
  }

  async publisher(
    options: { maxUnanswered?: number; deadlineMs?: number } = {},
  ): Promise<NatsSubmitPublisher> {
    const connection = await this.connect('gateway');
    return this.closedAfter(
      new NatsSubmitPublisher(connection, { maxUnanswered: 100_000, deadlineMs: 10_000, ...options }),
    );
  }

  async log(options: { maxWaiting?: number } = {}): Promise<NatsSubmitLog> {
    const connection = await this.connect('message-store');
    const limits = { maxWaiting: 100_000, replicas: 1, deadlineMs: 10_000, ...options };
    return new NatsSubmitLog(connection, limits, SILENT);
  }

  closedAfter<T extends { close(): Promise<unknown> | void }>(closable: T): T {
    this.opened.push(closable);
    return closable;
  }

  /** Closes what was opened, the newest first, and removes every stream. */
  async clear(): Promise<void> {
    for (const closable of this.opened.splice(0).reverse()) await closable.close();
    const nats = await connect({ servers: this.engine.url });
    const manager = await jetstreamManager(nats, { checkAPI: false });
    const names = await manager.streams.list().next();
    for (const { config } of names) await manager.streams.delete(config.name);
    await nats.close();
  }

  async stop(): Promise<void> {
    await this.clear();
    await this.engine.stop();
  }
}
