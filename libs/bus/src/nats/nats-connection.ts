import { setTimeout as sleep } from 'node:timers/promises';
import { jetstream, jetstreamManager, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import { connect, type ConnectionOptions, type NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { leaveSilentServers } from './silent-server.js';

/** Who does not answer a ping for so long, twice, is taken for gone; a cut connection tells nothing by itself. */
const PING_MS = 2000;
const PINGS_MISSED = 2;
const RECONNECT_MS = 100;
/** A server that dies while it is being dialled is noticed only by this. */
const DIAL_MS = 2000;
/** Of one request to JetStream. */
const API_TIMEOUT_MS = 1000;

export interface NatsOptions {
  /** One or more servers of a cluster, as nats://[user:password@]host:port. */
  readonly servers: readonly string[];
  /** Shown in the server's list of connections. */
  readonly name: string;
}

/** What every connection of this process to NATS is made with: it comes back for ever. */
export function connectionOptions({ servers, name }: NatsOptions): ConnectionOptions & { servers: string[] } {
  const { username, password } = new URL(servers[0] ?? 'nats://127.0.0.1');
  const login =
    username === '' ? {} : { user: decodeURIComponent(username), pass: decodeURIComponent(password) };
  return {
    ...login,
    servers: servers.map((server) => new URL(server).host),
    name,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_MS,
    reconnectJitter: RECONNECT_MS,
    pingInterval: PING_MS,
    maxPingOut: PINGS_MISSED,
    timeout: DIAL_MS,
    // A password that was refused may be right again after the server's next restart.
    ignoreAuthErrorAbort: true,
  };
}

type Listener = () => void;

/** This process's connection to NATS for everything but requests between services. */
export class BusConnection {
  private readonly listeners = { connected: new Set<Listener>(), disconnected: new Set<Listener>() };
  private sawDisconnect = false;
  readonly jetstream: JetStreamClient;

  private constructor(
    readonly nats: NatsConnection,
    readonly manager: JetStreamManager,
    private readonly logger: Logger,
  ) {
    this.jetstream = jetstream(nats, { timeout: API_TIMEOUT_MS });
    void this.followStatus();
  }

  /** Waits for the server for ever, or until `signal` is aborted: then it rejects. */
  static async open(options: NatsOptions, logger: Logger, signal?: AbortSignal): Promise<BusConnection> {
    const where = options.servers.map((server) => new URL(server).host);
    let told = '';
    for (;;) {
      signal?.throwIfAborted();
      try {
        const nats = await connectOnce(options);
        if (told !== '') logger.info({ servers: where }, 'NATS is there');
        const manager = await jetstreamManager(nats, { checkAPI: false, timeout: API_TIMEOUT_MS });
        return new BusConnection(nats, manager, logger);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        if (reason !== told) logger.warn({ servers: where, reason }, 'waiting for NATS');
        told = reason;
      }
      await sleep(2 * RECONNECT_MS, undefined, { signal });
    }
  }

  /**
   * Whether what is published now goes to the server's socket. The client takes publishes at any time, and those
   * that it takes without a connection vanish or overtake others; without one it has no server's `info`.
   */
  get isConnected(): boolean {
    return !this.sawDisconnect && this.nats.info !== undefined && !this.nats.isClosed();
  }

  /** Largest payload that the server takes, in bytes. */
  get maxPayload(): number {
    return this.nats.info?.max_payload ?? 0;
  }

  get isClosed(): boolean {
    return this.nats.isClosed();
  }

  /** Calls back after each reconnect. Returns what ends that. */
  onReconnect(listener: Listener): () => void {
    this.listeners.connected.add(listener);
    return () => this.listeners.connected.delete(listener);
  }

  onDisconnect(listener: Listener): () => void {
    this.listeners.disconnected.add(listener);
    return () => this.listeners.disconnected.delete(listener);
  }

  /** For readiness: rejects unless the server answers. */
  async check(): Promise<void> {
    if (!this.isConnected) throw new Error('no connection to NATS');
    await this.nats.rtt();
  }

  /** What was published before reaches the server, if there is one. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    if (this.isConnected)
      await Promise.race([this.nats.flush(), sleep(API_TIMEOUT_MS, undefined, { ref: false })]).catch(
        () => undefined,
      );
    await this.nats.close();
  }

  private async followStatus(): Promise<void> {
    for await (const status of this.nats.status()) {
      if (status.type === 'disconnect') {
        if (!this.sawDisconnect)
          this.logger.warn({ server: status.server }, 'the connection to NATS is lost');
        this.sawDisconnect = true;
        this.tell(this.listeners.disconnected);
      } else if (status.type === 'reconnect') {
        this.logger.info({ server: status.server }, 'connected to NATS again');
        this.sawDisconnect = false;
        this.tell(this.listeners.connected);
      } else if (status.type === 'error') {
        this.logger.warn({ err: status.error }, 'NATS reports an error');
      }
    }
  }

  private tell(listeners: ReadonlySet<Listener>): void {
    for (const listener of [...listeners]) listener();
  }
}

async function connectOnce(options: NatsOptions): Promise<NatsConnection> {
  const nats = await connect(connectionOptions(options));
  if (nats.info?.jetstream === true) return leaveSilentServers(nats);
  await nats.close();
  throw new Error('the server runs without JetStream: start nats-server with -js, or with a jetstream block');
}
