import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ClusterInstallation,
  type Engines,
  Line,
  Starling,
  type StartedProcess,
  startMongo,
  startNats,
  startRedis,
} from '@starling/testing';

/** What a cluster is started as. Scenarios of the same one follow each other on one cluster. */
export interface Setup {
  readonly name: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether each process reaches NATS and Redis by lines of its own, which can be cut. */
  readonly lines?: boolean;
}

/** The lines of one process. */
export interface Lines {
  readonly nats: Line;
  readonly redis: Line;
}

export const PARTITION_LEASE_MS = 1_500;
export const SESSION_LEASE_MS = 3_000;
export const SUBMIT_DEADLINE_MS = 3_000;

const ENV = {
  LOG_LEVEL: 'debug',
  PACKETS_PER_SECOND: '100000',
  PACKETS_BURST: '100000',
  SILENCE_TIMEOUT_MS: '120000',
  LOGIN_TIMEOUT_MS: '60000',
  RECONNECT_WINDOW_MS: '500',
  PARTITION_LEASE_MS: String(PARTITION_LEASE_MS),
  SESSION_LEASE_MS: String(SESSION_LEASE_MS),
  FEED_CHECK_MS: '1000',
  SUBMIT_DEADLINE_MS: String(SUBMIT_DEADLINE_MS),
  // More than is ever missed: the whole of it is judged.
  REPLAY_MAX_MESSAGES: '100000',
};

/** Of each service, so that one can be disturbed while the other goes on. */
const COUNTS = { gateways: 2, stores: 2, groups: 2, presences: 2 };
const PROCESSES = ['gateway', 'message-store', 'groups', 'presence'].flatMap((app) => [
  `${app} 0`,
  `${app} 1`,
]);

/** A cluster with engines of its own, on which scenarios are played. */
export class Stage {
  /** Also those that have ended. */
  private readonly processes = new Set<StartedProcess>();

  private constructor(
    readonly setup: Setup,
    readonly engines: Engines,
    readonly starling: Starling,
    /** By the process, as `gateway 0`; empty without lines. */
    readonly lines: ReadonlyMap<string, Lines>,
  ) {}

  static async open(setup: Setup): Promise<Stage> {
    const [nats, redis, mongodb] = await Promise.all([startNats(), startRedis(), startMongo()]);
    const engines: Engines = { nats, redis, mongodb };
    const lines = new Map<string, Lines>();
    for (const name of setup.lines ? PROCESSES : []) {
      lines.set(name, { nats: await Line.to(nats.url), redis: await Line.to(redis.url) });
    }
    const envOf = (app: string, number: number): Record<string, string> => {
      const own = lines.get(`${app} ${number}`);
      return own ? { NATS_URL: own.nats.url, REDIS_URL: own.redis.url } : {};
    };
    const starling = new Starling({
      profile: 'cluster',
      env: { ...ENV, ...setup.env },
      cluster: { ...COUNTS, engines, envOf },
    });
    const stage = new Stage(setup, engines, starling, lines);
    try {
      await starling.start();
      return stage;
    } catch (error) {
      await stage.abandon();
      throw error;
    }
  }

  get cluster(): ClusterInstallation {
    return this.starling.cluster;
  }

  /** What each of the processes has written, in a file of the folder each. */
  writeLogs(folder: string): void {
    this.rememberProcesses();
    mkdirSync(folder, { recursive: true });
    for (const { name, pid, lines } of this.processes) {
      writeFileSync(join(folder, `${name}-${pid}.log`), lines.map((line) => `${line}\n`).join(''));
    }
  }

  /** Those that run now; the ones before them are still known. */
  rememberProcesses(): void {
    for (const process of this.cluster.processes) this.processes.add(process);
  }

  /** Fails unless all processes run that ought to, and met nothing unhandled. */
  expectAlive(): void {
    for (const process of this.cluster.processes) if (process.exit) throw process.error('has ended');
    this.starling.expectNothingUnhandled();
  }

  /** Fails when a process does not stop as it ought to. */
  async close(): Promise<void> {
    try {
      await this.starling.dispose();
    } finally {
      await this.abandon();
    }
  }

  /** Ends everything, whatever state it is in. */
  async abandon(): Promise<void> {
    await this.starling.kill9();
    const lines = [...this.lines.values()].flatMap(({ nats, redis }) => [nats, redis]);
    await Promise.all(lines.map((line) => line.close()));
    await Promise.all(Object.values(this.engines).map((engine) => engine.stop()));
  }
}
