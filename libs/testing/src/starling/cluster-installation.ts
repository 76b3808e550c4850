import type { Alteration } from '../alterations/alteration.js';
import type { Engine } from '../engines/engine.js';
import type { EngineName } from '../engines/engine-name.js';
import { freshDatabase } from '../engines/fresh-database.js';
import { startMongo, startNats, startRedis } from '../engines/start-engine.js';
import type { StartedProcess } from '../process/started-process.js';
import { PATIENCE_MS, until } from '../process/until.js';
import { type Back, backOfWorker, expectBackOfWorkerAlive } from './back/back-of-worker.js';
import { type Installation, ready, type Service, spawnApp } from './installation.js';

export type Engines = Readonly<Record<EngineName, Engine>>;

export interface ClusterOptions {
  /** Two by default. */
  readonly gateways?: number;
  /** message-stores; one by default, as of the others. */
  readonly stores?: number;
  readonly groups?: number;
  readonly presences?: number;
  /**
   * For tests that disturb them: who gives them stops them. By default a NATS and a Redis of its own, which start in
   * no time, and a database of its own on a server that all clusters of a test file share.
   */
  readonly engines?: Engines;
  /**
   * Only the gateways are its own, and only they have its `env`: all that stands behind them is shared with other
   * tests, see `backOfWorker`. Not for tests that stop or disturb it, nor for names of users and groups that others use.
   */
  readonly gatewaysOnly?: boolean;
  /** Beyond the configuration of all: that of one process, numbered from 0 in its app; also when it is restarted. */
  readonly envOf?: (app: string, number: number) => Environment;
  /** By app: what all its processes run with; see `ClusterInstallation.alter`. */
  readonly alterations?: Readonly<Record<string, Alteration>>;
}

type Environment = Readonly<Record<string, string>>;

/** Gateways, message-stores, presence and groups as processes of their own, over real engines. */
export class ClusterInstallation implements Installation {
  /** Those that run, or ran last; gateways first, in the order in which they are stopped. */
  services: Service[] = [];
  private started: StartedProcess[] = [];
  /** Its own. */
  private engines: Engines | null = null;
  private knownBack: Back | null = null;
  private startEnv: Environment = {};
  private readonly alterations: Map<string, Alteration>;

  constructor(
    private readonly env: Environment,
    private readonly options: ClusterOptions,
  ) {
    this.alterations = new Map(Object.entries(options.alterations ?? {}));
  }

  get processes(): readonly StartedProcess[] {
    return this.started;
  }

  get gateways(): readonly Service[] {
    return this.of('gateway');
  }

  /** Once it was started. */
  get back(): Back {
    if (this.knownBack === null) throw new Error('the cluster was never started');
    return this.knownBack;
  }

  /** Its own database, for tests that compare what clients saw with what was stored. */
  get databaseUrl(): string {
    return this.back.mongoUrl;
  }

  of(app: string): Service[] {
    return this.services.filter((service) => service.app === app);
  }

  /** From its next start on each process of the app runs with the alteration; without one, as it was built. */
  alter(app: string, alteration: Alteration | null): void {
    if (alteration) this.alterations.set(app, alteration);
    else this.alterations.delete(app);
  }

  async start(env: Environment): Promise<void> {
    this.startEnv = env;
    await this.prepare();
    const { gateways = 2, stores = 1, groups = 1, presences = 1, gatewaysOnly = false } = this.options;
    const apps = several('gateway', gateways);
    if (!gatewaysOnly) {
      apps.push(
        ...several('message-store', stores),
        ...several('groups', groups),
        ...several('presence', presences),
      );
    }
    // The others wait for the migration, so all may start at once.
    const migration = gatewaysOnly ? null : spawnApp('migrate', { ...this.environment, ...env });
    this.started = apps.map((app, i) => {
      const own = this.options.envOf?.(app, i - apps.indexOf(app));
      return spawnApp(app, { ...this.environment, ...env, ...own }, this.alterations.get(app));
    });
    if (migration && (await migration.exited).code !== 0) throw migration.error('failed');
    this.services = await Promise.all(apps.map((app, i) => ready(app, this.started[i]!)));
  }

  spawn(env: Environment): StartedProcess {
    return spawnApp('gateway', { ...this.environment, ...env });
  }

  /** Starts the process again after it has ended, as what watches over processes would; a gateway on its old port. */
  async restart(ended: Service): Promise<Service> {
    const { app } = ended;
    const process = this.spawnAgain(ended, this.alterations.get(app));
    return this.replace(ended, await ready(app, process));
  }

  /**
   * Starts the process again after it has ended, with an alteration by which it kills itself, and resolves when it
   * has, which may be before it is ready. Rejects when it ends otherwise, or does not within the time. What is
   * returned can be restarted.
   */
  async restartUntilKilled(ended: Service, alteration: Alteration, patienceMs = 60_000): Promise<Service> {
    const process = this.spawnAgain(ended, alteration);
    const service = this.replace(ended, { ...ended, process });
    await until(`${ended.app} to have killed itself`, () => process.exit, patienceMs);
    if (process.exit?.signal !== 'SIGKILL') throw process.error(`was not killed: ${alteration.name}`);
    return service;
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const patience = 2 * PATIENCE_MS;
    const gateways = this.started.filter(({ name }) => name === 'gateway');
    const stores = this.started.filter(({ name }) => name === 'message-store');
    const others = this.started.filter((process) => !gateways.includes(process) && !stores.includes(process));
    for (const stage of [gateways, stores, others]) {
      await Promise.all(stage.map((process) => process.end(signal, patience)));
    }
  }

  async dispose(): Promise<void> {
    if (this.options.engines || !this.engines) return;
    await Promise.all([this.engines.nats.stop(), this.engines.redis.stop()]);
  }

  private spawnAgain({ app, port, process: ended }: Service, alteration?: Alteration): StartedProcess {
    const number = this.started.filter(({ name }) => name === app).indexOf(ended);
    const own = this.options.envOf?.(app, number);
    const env: Environment = app === 'gateway' ? { ...own, PORT: String(port) } : { ...own };
    const process = spawnApp(app, { ...this.environment, ...this.startEnv, ...env }, alteration);
    this.started = this.started.map((other) => (other === ended ? process : other));
    return process;
  }

  private replace(ended: Service, service: Service): Service {
    this.services = this.services.map((other) => (other === ended ? service : other));
    return service;
  }

  private async prepare(): Promise<void> {
    if (this.knownBack) return;
    if (this.options.gatewaysOnly) {
      this.knownBack = await backOfWorker();
      return;
    }
    this.engines = this.options.engines ?? {
      nats: await startNats(),
      redis: await startRedis(),
      mongodb: await mongoOfThisFile(),
    };
    const { nats, redis, mongodb } = this.engines;
    this.knownBack = { natsUrl: nats.url, redisUrl: redis.url, mongoUrl: freshDatabase(mongodb.url) };
  }

  private get environment(): Environment {
    return {
      NATS_URL: this.knownBack?.natsUrl ?? 'nats://127.0.0.1:1',
      REDIS_URL: this.knownBack?.redisUrl ?? 'redis://127.0.0.1:1',
      MONGODB_URL: this.knownBack?.mongoUrl ?? 'mongodb://127.0.0.1:1/none',
      ...this.env,
    };
  }
}

function several(app: string, count: number): string[] {
  return Array.from({ length: count }, () => app);
}

let mongo: Promise<Engine> | null = null;

function mongoOfThisFile(): Promise<Engine> {
  return (mongo ??= startMongo());
}

/** After the last cluster of a test file. */
export async function stopWhatThisFileShares(): Promise<void> {
  const stopping = mongo;
  mongo = null;
  await (await stopping)?.stop();
  expectBackOfWorkerAlive();
}
