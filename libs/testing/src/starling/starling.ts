import { type BodyCipher } from '../clients/body-cipher.js';
import { ByteClient, type ByteClientOptions } from '../clients/byte-client.js';
import type { ChatClient } from '../clients/chat-client.js';
import { PacketClient, type PacketClientOptions } from '../clients/packet-client.js';
import { show } from '../clients/packet.js';
import type { Exit, LogLine, StartedProcess } from '../process/started-process.js';
import { PATIENCE_MS, until } from '../process/until.js';
import { ClusterInstallation, type ClusterOptions } from './cluster-installation.js';
import { EmbeddedInstallation } from './embedded-installation.js';
import type { Installation, Profile } from './installation.js';
import { metricAt } from './metric-at.js';

export type Form = 'object' | 'frame' | 'bytes';

export type ConnectOptions = Omit<PacketClientOptions, 'carries'> &
  ByteClientOptions & {
    /** `object` by default. */
    readonly form?: Form;
    /** Index of the gateway; by default they take turns. */
    readonly gateway?: number;
    /** Added to the URL of the byte endpoint, for example `?token=…`. */
    readonly urlSuffix?: string;
  };

export interface StarlingOptions {
  /** Configuration, by the names of the environment. Nothing of the test's own environment reaches the server. */
  readonly env?: Readonly<Record<string, string>>;
  /** Of the embedded profile. Kept when the server stops; by default a new folder that is removed. */
  readonly dataDir?: string;
  /** By default that of the run: `cluster` in jest's project of that name, else `embedded`. */
  readonly profile?: Profile;
  readonly cluster?: ClusterOptions;
}

declare global {
  /** Set by jest.config.mjs. */
  var STARLING_PROFILE: Profile | undefined;
}

export interface Gateway {
  /** For Socket.IO and HTTP, without a path. */
  readonly url: string;
  /** Of the byte endpoint. */
  readonly bytesUrl: string;
  readonly host: string;
  readonly port: number;
}

/** A server as its users have it: started processes of the built project, known by their sockets and their output. */
export class Starling {
  readonly profile: Profile;
  private readonly installation: Installation;
  private readonly clients = new Set<ChatClient>();
  private nextGateway = 0;
  private ready: readonly Gateway[] = [];

  constructor(private readonly options: StarlingOptions = {}) {
    const { env = {}, dataDir, cluster = {} } = options;
    this.profile = options.profile ?? globalThis.STARLING_PROFILE ?? 'embedded';
    this.installation =
      this.profile === 'embedded'
        ? new EmbeddedInstallation(env, dataDir)
        : new ClusterInstallation(env, cluster);
  }

  /** Starts the processes, again on the same data when they ran before; resolves when they are ready. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<this> {
    await this.installation.start(env);
    const path = this.options.env?.['WS_PATH'] ?? '/ws';
    this.ready = this.installation.gateways.map(({ port }) => ({
      host: '127.0.0.1',
      port,
      url: `http://127.0.0.1:${port}`,
      bytesUrl: `ws://127.0.0.1:${port}${path}`,
    }));
    return this;
  }

  /** Starts what clients connect to with this server's data and configuration, for starts that fail. */
  spawn(env: Readonly<Record<string, string>> = {}): StartedProcess {
    return this.installation.spawn(env);
  }

  /** Its processes one by one; only in the profile `cluster`. */
  get cluster(): ClusterInstallation {
    if (this.installation instanceof ClusterInstallation) return this.installation;
    throw new Error('this is no cluster');
  }

  /** Only in the profile `embedded`. */
  get dataDir(): string {
    if (this.installation instanceof EmbeddedInstallation) return this.installation.dataDir;
    throw new Error('a cluster has no folder of its own');
  }

  get gateways(): readonly Gateway[] {
    return this.ready;
  }

  get url(): string {
    return this.gateways[0]!.url;
  }

  get bytesUrl(): string {
    return this.gateways[0]!.bytesUrl;
  }

  get port(): number {
    return this.gateways[0]!.port;
  }

  get pid(): number {
    return this.running.pid;
  }

  /** Log lines of the running processes; of the last ones after they ended. */
  get logs(): readonly LogLine[] {
    return this.installation.processes.flatMap(({ logs }) => logs);
  }

  /** All its output as one text. */
  get output(): string {
    return this.installation.processes.flatMap(({ lines }) => lines).join('\n');
  }

  /** Opens a connection without logging in. It is closed with the server, or by `closeClients`. */
  async connect(userId: string, options: ConnectOptions = {}): Promise<ChatClient> {
    const { form = 'object', gateway } = options;
    if (form === 'bytes') return this.connectBytes(userId, options);
    const { url } = this.gatewayFor(gateway);
    return this.keep(await PacketClient.connect(url, userId, { ...options, carries: form }));
  }

  async connectBytes(userId: string, options: Omit<ConnectOptions, 'form'> = {}): Promise<ByteClient> {
    const { bytesUrl } = this.gatewayFor(options.gateway);
    return this.keep(await ByteClient.connect(`${bytesUrl}${options.urlSuffix ?? ''}`, userId, options));
  }

  /** Opens a connection and logs in. */
  async login(
    userId: string,
    options: ConnectOptions = {},
    fields: Record<string, unknown> = {},
  ): Promise<ChatClient> {
    return loggedIn(await this.connect(userId, options), fields);
  }

  async loginBytes(
    userId: string,
    options: Omit<ConnectOptions, 'form'> = {},
    fields: Record<string, unknown> = {},
  ): Promise<ByteClient> {
    return loggedIn(await this.connectBytes(userId, options), fields);
  }

  /** Closes every client opened here, and fails when one of them met a violation of the protocol. */
  async closeClients(): Promise<void> {
    const clients = [...this.clients];
    this.clients.clear();
    await Promise.all(clients.map((client) => client.close().catch(() => client.abort())));
    const broken = clients.find((client) => client.violations.length > 0);
    if (broken) throw broken.error('met a violation of the protocol');
  }

  /** Resident memory of what clients connect to, in bytes. */
  async residentBytes(): Promise<number> {
    const each = this.installation.gateways.map(({ process }) => process.residentBytes());
    return sum(await Promise.all(each));
  }

  /** The sum of a metric's samples, at all gateways, whose labels include those given. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    return sum(await Promise.all(this.gateways.map(({ url }) => metricAt(url, name, labels))));
  }

  waitForLog(what: string, matches: (line: LogLine) => boolean): Promise<LogLine> {
    return this.running.waitForLog(what, matches);
  }

  /** Fails unless the server still runs, serves a new user and has met nothing unhandled. */
  async expectWell(): Promise<void> {
    for (const process of this.installation.processes) {
      if (process.exit) throw process.error('has ended');
    }
    const userId = `well-${Math.random()}`;
    const client = await this.login(userId);
    const answer = await client.sendTo(userId, 'well?');
    if (answer['success'] !== true) throw this.running.error(`does not take a message: ${show(answer)}`);
    await client.close();
    this.expectNothingUnhandled();
  }

  /** Ends the processes as the power going out would end them. */
  async kill9(): Promise<void> {
    await this.installation.end('SIGKILL');
    await this.dropClients();
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  waitForExit(patienceMs = PATIENCE_MS): Promise<Exit> {
    return until('the end of the process', () => this.running.exit, patienceMs);
  }

  /**
   * Stops the processes by SIGTERM and waits for their end; the data stays. Resolves with how what clients see ended: of
   * several gateways, one that did not end well, if there is one.
   */
  async stop(): Promise<Exit> {
    await this.installation.end('SIGTERM');
    await this.dropClients();
    const exits = this.installation.gateways.map(({ process }) => process.exit!);
    return exits.find(({ code }) => code !== 0) ?? exits[0]!;
  }

  /** Stops the processes that still run, and removes what was made for them. Fails when they did not stop cleanly. */
  async dispose(): Promise<void> {
    const { processes } = this.installation;
    try {
      if (processes.some(({ exit }) => exit === null)) {
        await this.closeClients();
        this.expectNothingUnhandled();
        const alive = processes.filter(({ exit }) => exit === null);
        await this.stop();
        for (const each of alive) {
          if (each.exit?.code !== 0) throw each.error(`ended with ${show(each.exit)} on SIGTERM`);
        }
      }
    } finally {
      await this.installation.end('SIGKILL');
      await this.installation.dispose();
    }
  }

  /** Fails when one of the processes that run, or ran last, met an error that nobody handled. */
  expectNothingUnhandled(): void {
    for (const each of this.installation.processes) {
      const line = each.lines.find((text) => /unhandled ?rejection|uncaught ?exception/i.test(text));
      if (line !== undefined) throw each.error(`met something unhandled: ${line}`);
    }
  }

  /** Clients of a process that has ended: nothing can be expected of them any more. */
  private async dropClients(): Promise<void> {
    const clients = [...this.clients];
    this.clients.clear();
    await Promise.all(clients.map((client) => client.waitForClose().catch(() => client.abort())));
  }

  private keep<C extends ChatClient>(client: C): C {
    this.clients.add(client);
    return client;
  }

  private gatewayFor(index: number | undefined): Gateway {
    return this.gateways[(index ?? this.nextGateway++) % this.gateways.length]!;
  }

  private get running(): StartedProcess {
    const [first] = this.installation.processes;
    if (!first) throw new Error('the server was not started');
    return first;
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

async function loggedIn<C extends ChatClient>(client: C, fields: Record<string, unknown>): Promise<C> {
  const answer = await client.login(fields);
  if (answer['success'] !== true) throw client.error(`could not log in: ${show(answer)}`);
  return client;
}

export async function startStarling(options: StarlingOptions = {}): Promise<Starling> {
  const starling = new Starling(options);
  try {
    return await starling.start();
  } catch (error) {
    await starling.dispose().catch(() => undefined);
    throw error;
  }
}

/** The cipher that tests share with their servers, and the configuration that tells a server of it. */
export const TEST_CIPHER: BodyCipher = { keyId: 'k1', key: Buffer.from('an AES-256 key for the tests ...') };
export const TEST_CIPHER_ENV = { CIPHER_KEYS: `${TEST_CIPHER.keyId}:${TEST_CIPHER.key.toString('base64')}` };
