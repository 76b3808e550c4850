import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type BodyCipher } from '../clients/body-cipher.js';
import { ByteClient, type ByteClientOptions } from '../clients/byte-client.js';
import type { ChatClient } from '../clients/chat-client.js';
import { PacketClient, type PacketClientOptions } from '../clients/packet-client.js';
import { show } from '../clients/packet.js';
import { type Exit, type LogLine, StartedProcess } from '../process/started-process.js';
import { PATIENCE_MS, until } from '../process/until.js';

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
  /** Kept when the server stops; by default a new folder that is removed. */
  readonly dataDir?: string;
}

export interface Gateway {
  /** For Socket.IO and HTTP, without a path. */
  readonly url: string;
  /** Of the byte endpoint. */
  readonly bytesUrl: string;
  readonly host: string;
  readonly port: number;
}

const MAIN = resolve('dist/apps/standalone/src/main.js');
const START_PATIENCE_MS = 60_000;

/** A server as its users have it: a started process of the built project, known by its sockets and its output. */
export class Starling {
  readonly dataDir: string;
  private readonly ownsDataDir: boolean;
  private process: StartedProcess | null = null;
  private readonly clients = new Set<ChatClient>();
  private nextGateway = 0;
  private ready: readonly Gateway[] = [];

  constructor(private readonly options: StarlingOptions = {}) {
    this.ownsDataDir = options.dataDir === undefined;
    this.dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'starling-test-'));
  }

  /** Starts the process, again on the same data when it ran before; resolves when it is ready. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<this> {
    const process = this.spawn(env);
    this.process = process;
    const line = await process.waitForLog(
      'that it is ready',
      ({ msg }) => msg === 'ready',
      START_PATIENCE_MS,
    );
    const port = Number(line['port']);
    const path = this.options.env?.['WS_PATH'] ?? '/ws';
    this.ready = [
      { host: '127.0.0.1', port, url: `http://127.0.0.1:${port}`, bytesUrl: `ws://127.0.0.1:${port}${path}` },
    ];
    await until('/readyz', async () => (await fetch(`${this.url}/readyz`)).status === 200);
    return this;
  }

  /** Starts a process on this server's data and configuration without waiting for anything, for starts that fail. */
  spawn(env: Readonly<Record<string, string>> = {}): StartedProcess {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} does not exist: run "npm run build" first`);
    return new StartedProcess('starling', ['--enable-source-maps', MAIN], {
      HOST: '127.0.0.1',
      PORT: '0',
      LOG_FORMAT: 'json',
      DATA_DIR: this.dataDir,
      ...this.options.env,
      ...env,
    });
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

  /** Log lines of the running process; of the last one after it ended. */
  get logs(): readonly LogLine[] {
    return this.running.logs;
  }

  /** All its output as one text. */
  get output(): string {
    return this.running.lines.join('\n');
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

  /** Resident memory of the server in bytes. */
  residentBytes(): Promise<number> {
    return this.running.residentBytes();
  }

  /** The sum of a metric's samples whose labels include those given. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const response = await fetch(`${this.url}/metrics`);
    const lines = (await response.text())
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    const matching = lines.filter((line) =>
      Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`)),
    );
    return matching.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  waitForLog(what: string, matches: (line: LogLine) => boolean): Promise<LogLine> {
    return this.running.waitForLog(what, matches);
  }

  /** Fails unless the server still runs, serves a new user and has met nothing unhandled. */
  async expectWell(): Promise<void> {
    const { running } = this;
    if (running.exit) throw running.error('has ended');
    const userId = `well-${Math.random()}`;
    const client = await this.login(userId);
    const answer = await client.sendTo(userId, 'well?');
    if (answer['success'] !== true) throw running.error(`does not take a message: ${show(answer)}`);
    await client.close();
    this.expectNothingUnhandled();
  }

  /** Ends the process as the power going out would end it. */
  async kill9(): Promise<Exit> {
    const exit = await this.running.end('SIGKILL');
    await this.dropClients();
    return exit;
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  waitForExit(patienceMs = PATIENCE_MS): Promise<Exit> {
    return until('the end of the process', () => this.running.exit, patienceMs);
  }

  /** Stops the process by SIGTERM and waits for its end; the data stays. */
  async stop(): Promise<Exit> {
    const exit = await this.running.end('SIGTERM', 2 * PATIENCE_MS);
    await this.dropClients();
    return exit;
  }

  /** Stops the process if it still runs, and removes what was made for it. Fails when it did not stop cleanly. */
  async dispose(): Promise<void> {
    try {
      if (this.process && !this.process.exit) {
        await this.closeClients();
        this.expectNothingUnhandled();
        const exit = await this.stop();
        if (exit.code !== 0) throw this.running.error(`ended with ${show(exit)} on SIGTERM`);
      }
    } finally {
      if (this.process && !this.process.exit) await this.process.end('SIGKILL');
      if (this.ownsDataDir) rmSync(this.dataDir, { recursive: true, force: true });
    }
  }

  private expectNothingUnhandled(): void {
    const line = this.running.lines.find((text) => /unhandled ?rejection|uncaught ?exception/i.test(text));
    if (line !== undefined) throw this.running.error(`met something unhandled: ${line}`);
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
    if (!this.process) throw new Error('the server was not started');
    return this.process;
  }
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
