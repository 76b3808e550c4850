import { resolve } from 'node:path';
import {
  type Engine,
  EngineProcess,
  startMongo,
  startNats,
  startRedis,
  tryLock,
  unlock,
} from '@starling/testing';
import { Failure } from './cluster/failure.js';
import { KeptEngine } from './cluster/kept-engine.js';
import { type Options, readOptions, USAGE } from './cluster/options.js';
import { Output, say } from './cluster/output.js';
import { Service } from './cluster/service.js';

async function main(): Promise<void> {
  const options = readOptions();
  if (!options) return say(USAGE);
  const lock = resolve(options.dataDir, 'lock');
  const holder = tryLock(lock);
  if (holder !== null)
    throw new Failure(`process ${holder} runs a cluster on ${options.dataDir} (it holds ${lock})`);
  try {
    await run(options);
  } finally {
    unlock(lock);
  }
}

/** Until a signal comes. */
async function run({ dataDir, firstPort, ...counts }: Options): Promise<void> {
  const signalled = new Promise<'signalled'>((done) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => done('signalled'));
  });
  void signalled.then(() => say('Stopping …'));
  const engines: KeptEngine[] = [];
  /** In the order in which they are stopped: what a gateway finishes needs the others. */
  const stages: Service[][] = [];
  try {
    const urlOf = async (name: string, starting: Promise<Engine>): Promise<string> => {
      const engine = await starting;
      const output = new Output(name);
      // Others watch over those that they named.
      if (engine instanceof EngineProcess) engines.push(new KeptEngine(engine, output));
      else output.say(`at ${new URL(engine.url).host}`);
      return engine.url;
    };
    const env = {
      ...process.env,
      LOG_FORMAT: process.env['LOG_FORMAT'] ?? 'pretty',
      NATS_URL: await urlOf('nats', startNats({ dataDir: resolve(dataDir, 'nats') })),
      REDIS_URL: await urlOf('redis', startRedis({ dataDir: resolve(dataDir, 'redis') })),
      MONGODB_URL: await urlOf('mongodb', startMongo({ dataDir: resolve(dataDir, 'mongodb') })),
    };
    const migrate = new Service('migrate', 'migrate', env);
    stages.push([migrate]);
    const migrated = await Promise.race([migrate.runOnce(), signalled]);
    if (migrated === 'signalled') return;
    if (migrated !== 0) throw new Failure('the database could not be prepared');

    const several = (app: string, count: number, port: (i: number) => number = () => 0) =>
      Array.from(
        { length: count },
        (_, i) => new Service(`${app}-${i + 1}`, app, { ...env, PORT: String(port(i)) }),
      );
    const services = [
      several('gateway', counts.gateways, (i) => firstPort + i),
      several('message-store', counts.stores),
      [...several('groups', counts.groups), ...several('presence', counts.presences)],
    ];
    stages.push(...services);
    for (const service of services.flat().reverse()) service.start();
    await signalled;
  } finally {
    for (const stage of stages) await Promise.all(stage.map((service) => service.stop()));
    await Promise.all(engines.map((engine) => engine.stop()));
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
