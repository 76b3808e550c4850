import { setTimeout as sleep } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { GivenEngine, startNats, type Engine } from '@starling/testing';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { BusMetrics } from '../src/bus-metrics.js';
import { LEASES_STREAM, MEMBERSHIP_STREAM, submitStream } from '../src/nats/names.js';
import { BusConnection } from '../src/nats/nats-connection.js';
import { NatsSubmitLog } from '../src/nats/nats-submit-log.js';
import { NatsSubmitPublisher } from '../src/nats/nats-submit-publisher.js';

export const SILENT = pino({ level: 'silent' });

/** As many as one file has tests. */
const ACCOUNTS = 60;

/**
 * A real nats-server, and connections to it as processes of their own would have them. Each test has an account to
 * itself: the server removes a deleted stream's files later, and one that is made under the same name comes up with
 * them.
 */
export class BusOnNats {
  private readonly opened: { close(): Promise<unknown> | void }[] = [];
  private account = 0;

  private constructor(readonly engine: Engine) {}

  static async start(): Promise<BusOnNats> {
    const accounts = Object.fromEntries(
      Array.from({ length: ACCOUNTS }, (_, i) => [
        `TEST_${i}`,
        { jetstream: 'enabled', users: [{ user: `test-${i}`, password: 'test' }] },
      ]),
    );
    return new BusOnNats(await startNats({ config: { accounts } }));
  }

  get url(): string {
    if (this.engine instanceof GivenEngine) return this.engine.url;
    return this.engine.url.replace('nats://', `nats://test-${this.account}:test@`);
  }

  async connect(name = 'test'): Promise<BusConnection> {
    return this.closedAfter(await BusConnection.open({ servers: [this.url], name }, SILENT));
  }

  async publisher(
    options: { maxUnanswered?: number; deadlineMs?: number } = {},
  ): Promise<NatsSubmitPublisher> {
    const connection = await this.connect('gateway');
    return this.closedAfter(
      new NatsSubmitPublisher(
        connection,
        { maxUnanswered: 100_000, deadlineMs: 10_000, ...options },
        new BusMetrics(new Registry()),
      ),
    );
  }

  async log(options: { maxWaiting?: number } = {}): Promise<NatsSubmitLog> {
    const connection = await this.connect('message-store');
    const limits = { maxWaiting: 100_000, replicas: 1, deadlineMs: 10_000, ...options };
    return new NatsSubmitLog(connection, limits, SILENT, new BusMetrics(new Registry()));
  }

  closedAfter<T extends { close(): Promise<unknown> | void }>(closable: T): T {
    this.opened.push(closable);
    return closable;
  }

  /** Closes what was opened, the newest first; what comes next finds nothing of it. */
  async clear(): Promise<void> {
    await this.close();
    this.account += 1;
    if (this.account === ACCOUNTS) throw new Error('there are more tests than accounts');
    if (this.engine instanceof GivenEngine) await deleteStreams(this.url);
  }

  async stop(): Promise<void> {
    await this.close();
    await this.engine.stop();
  }

  private async close(): Promise<void> {
    for (const closable of this.opened.splice(0).reverse()) await closable.close();
  }
}

/** Those of Starling: what else is on a server that others started is not ours to delete. */
async function deleteStreams(url: string): Promise<void> {
  const nats = await connect({ servers: url });
  const { streams } = await jetstreamManager(nats, { checkAPI: false });
  for await (const name of streams.names()) {
    if (isOurs(name)) await streams.delete(name);
  }
  await nats.close();
  await sleep(250);
}

function isOurs(stream: string): boolean {
  const prefixOfSubmits = submitStream(0).slice(0, -1);
  return stream === MEMBERSHIP_STREAM || stream === LEASES_STREAM || stream.startsWith(prefixOfSubmits);
}
