import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Engine, guard, startMongo, startNats, startRedis, tryLock, unlock } from '@starling/testing';

const USAGE = `npm run start:cluster -- [options]

Starts Starling as a cluster on this machine: every service as its own process, over NATS, Redis and MongoDB. The
gateways listen on PORT (3000 by default), PORT+1 and so on. Ctrl-C stops everything in order.

  --gateways N        2 by default
  --stores N          message-stores, 2 by default
  --presences N       1 by default
  --groups N          1 by default
  --data-dir FOLDER   of the engines started here, data/cluster by default

Engines are those of NATS_URL, REDIS_URL and MONGODB_URL; what is not named there is started here, and installed for
this user when the machine has none. All variables of docs/configuration.md reach every process.
`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    gateways: { type: 'string', default: '2' },
    stores: { type: 'string', default: '2' },
    presences: { type: 'string', default: '1' },
    groups: { type: 'string', default: '1' },
    'data-dir': { type: 'string', default: 'data/cluster' },
  },
});

/** A failure that is told without a stack. */
class Failure extends Error {}

const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 10_000;
/** After so long without dying, the next death is the first again. */
const STEADY_MS = 60_000;
const STOP_PATIENCE_MS = 30_000;
const WIDTH = 'message-store-2'.length;
const COLOURS = [36, 33, 32, 35, 34, 31];

let lastColour = 0;

function say(text: string): void {
  process.stdout.write(`${text.trimEnd()}\n`);
}

function counted(option: 'gateways' | 'stores' | 'presences' | 'groups'): number[] {
  const count = Number(values[option]);
  if (!Number.isInteger(count) || count < 1 || count > 100) {
    throw new Failure(`--${option} must be a number from 1 to 100, not ${values[option]}`);
  }
  return Array.from({ length: count }, (_, i) => i + 1);
}

/** One process of Starling: its output goes on with its name in front, and it is started again when it dies. */
class Service {
  private child: ChildProcess | null = null;
  private ended: Promise<void> = Promise.resolve();
  private stopping = false;
  private backoffMs = FIRST_BACKOFF_MS;
  private readonly prefix: string;

  constructor(
    readonly name: string,
    private readonly app: string,
    private readonly env: NodeJS.ProcessEnv,
  ) {
    const padded = name.padEnd(WIDTH);
    const colour = COLOURS[lastColour++ % COLOURS.length];
    this.prefix = process.stdout.isTTY ? `\x1b[${colour}m${padded} |\x1b[0m` : `${padded} |`;
  }

  /** Once, to its end. */
  async run(): Promise<number | NodeJS.Signals | null> {
    // A process group of its own: Ctrl-C is for us, who stop the processes in order.
    const child = spawn(process.execPath, ['--enable-source-maps', `dist/apps/${this.app}/src/main.js`], {
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.child = child;
    const release = child.pid === undefined ? () => undefined : guard(child.pid);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => say(`${this.prefix} ${line}`));
    }
    return new Promise((done) => {
      child.once('error', (error) => this.tell(error.message));
      child.once('close', (code, signal) => {
        this.child = null;
        release();
        done(code ?? signal);
      });
    });
  }

  start(): void {
    this.ended = this.keepRunning();
  }

  /** Resolves when the process has ended, killed if it did not within its patience. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.child?.kill('SIGTERM');
    const late = setTimeout(() => {
      this.tell(`did not stop within ${STOP_PATIENCE_MS / 1000} s: killed`);
      this.child?.kill('SIGKILL');
    }, STOP_PATIENCE_MS);
    await this.ended;
    clearTimeout(late);
  }

  private async keepRunning(): Promise<void> {
    while (!this.stopping) {
      const startedAt = Date.now();
      const how = await this.run();
      if (this.stopping) return;
      if (Date.now() - startedAt > STEADY_MS) this.backoffMs = FIRST_BACKOFF_MS;
      this.tell(
        `ended by itself (${typeof how === 'number' ? `code ${how}` : how}); again in ${this.backoffMs} ms`,
      );
      for (const at = Date.now() + this.backoffMs; Date.now() < at && !this.stopping;) await delay(100);
      this.backoffMs = Math.min(2 * this.backoffMs, LONGEST_BACKOFF_MS);
    }
  }

  private tell(what: string): void {
    say(`${this.prefix} *** ${this.name} ${what}`);
  }
}

async function main(): Promise<void> {
  if (values.help) return say(USAGE);
  const counts = {
    gateways: counted('gateways'),
    stores: counted('stores'),
    presences: counted('presences'),
    groups: counted('groups'),
  };
  const firstPort = Number(process.env['PORT'] || '3000');
  if (!Number.isInteger(firstPort) || firstPort < 1 || firstPort + counts.gateways.length > 65_536) {
    throw new Failure(`PORT must be a port of its own for each gateway, not ${process.env['PORT']}`);
  }
  const dataDir = resolve(values['data-dir']);
  const lock = resolve(dataDir, 'lock');
  const holder = tryLock(lock);
  if (holder !== null) throw new Failure(`process ${holder} runs a cluster on ${dataDir} (it holds ${lock})`);
  const signalled = new Promise<void>((done) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => done());
  });
  const engines: Engine[] = [];
  const stages: Service[][] = [];
  try {
    const start = async (name: string, engine: Promise<Engine>): Promise<string> => {
      const started = await engine;
      engines.push(started);
      const { host } = new URL(started.url);
      say(`${name.padEnd(WIDTH)} | at ${host}`);
      return started.url;
    };
    const env = {
      ...process.env,
      LOG_FORMAT: process.env['LOG_FORMAT'] ?? 'pretty',
      NATS_URL: await start('nats', startNats({ dataDir: resolve(dataDir, 'nats') })),
      REDIS_URL: await start('redis', startRedis({ dataDir: resolve(dataDir, 'redis') })),
      MONGODB_URL: await start('mongodb', startMongo({ dataDir: resolve(dataDir, 'mongodb') })),
    };
    const migrate = new Service('migrate', 'migrate', env);
    if ((await migrate.run()) !== 0) throw new Failure('the database could not be prepared');

    const behind = { ...env, PORT: '0' };
    const several = (app: string, numbers: readonly number[]) =>
      numbers.map((n) => new Service(`${app}-${n}`, app, behind));
    // In the order in which they are stopped: what a gateway finishes needs the others.
    stages.push(
      counts.gateways.map(
        (n) => new Service(`gateway-${n}`, 'gateway', { ...env, PORT: String(firstPort + n - 1) }),
      ),
      several('message-store', counts.stores),
      [...several('groups', counts.groups), ...several('presence', counts.presences)],
    );
    for (const service of stages.flat().reverse()) service.start();
    await signalled;
    say('Stopping …');
  } finally {
    for (const stage of stages) await Promise.all(stage.map((service) => service.stop()));
    await Promise.all(engines.map((engine) => engine.stop()));
    unlock(lock);
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
