import { relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ENGINE_NAMES, type EngineName, URL_VARIABLE } from './engine-name.js';
import { EngineProcess } from './engine-process.js';
import { findProgram, type Program } from './find-program.js';
import { freePort } from './free-port.js';
import { install, NotInstalled } from './install.js';
import { mongoServer, natsServer, redisServer } from './launches.js';
import { tryLock, unlock } from './process-lock.js';
import { FAST_STORE } from './recipes.js';

const USAGE = `npm run engines -- [options]

Installs nats-server, a Redis and a MongoDB server for this user where the machine has none, starts them, prints
their URLs, and stops them on Ctrl-C.

  --install-only      install, start nothing
  --fast-store        build the MongoDB server from source (about six minutes): several times faster
  --nats-port N       by default 4222 when it is free, else another
  --redis-port N      by default 6379 when it is free, else another
  --mongodb-port N    by default 27017 when it is free, else another
  --data-dir FOLDER   by default data/engines
`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    'install-only': { type: 'boolean', default: false },
    'fast-store': { type: 'boolean', default: false },
    'nats-port': { type: 'string' },
    'redis-port': { type: 'string' },
    'mongodb-port': { type: 'string' },
    'data-dir': { type: 'string', default: 'data/engines' },
  },
});

const LAUNCHES = { nats: natsServer, redis: redisServer, mongodb: mongoServer };
const USUAL_PORTS = { nats: 4222, redis: 6379, mongodb: 27017 };

/** A failure that is told without a stack. */
class Failure extends Error {}

async function main(): Promise<void> {
  if (values.help) return say(USAGE);
  const programs = ENGINE_NAMES.map((engine) => [engine, programFor(engine)] as const);
  for (const [, { name, version, argv }] of programs) say(`${name} ${version}: ${argv.join(' ')}`);
  if (values['install-only']) return;

  const dataDir = resolve(values['data-dir']);
  const lock = resolve(dataDir, 'lock');
  const holder = tryLock(lock);
  if (holder !== null) throw new Failure(`process ${holder} runs engines on ${dataDir} (it holds ${lock})`);
  try {
    await run(programs, dataDir);
  } finally {
    unlock(lock);
  }
}

function programFor(engine: EngineName): Program {
  if (engine === FAST_STORE.engine && values['fast-store']) return fastStore();
  const found = findProgram(engine, { machine: process.env, install: true });
  if ('why' in found) throw new Failure(`${engine}: ${found.why}.\nTo get it: ${found.remedy}.`);
  return found;
}

function fastStore(): Program {
  try {
    return { ...install(FAST_STORE, process.env), name: FAST_STORE.program, version: FAST_STORE.version };
  } catch (error) {
    if (!(error instanceof NotInstalled)) throw error;
    throw new Failure(`${FAST_STORE.program}: ${error.message}.\nWithout --fast-store it comes in wheels.`);
  }
}

/** Until a signal comes, or one of the engines ends by itself. */
async function run(programs: readonly (readonly [EngineName, Program])[], dataDir: string): Promise<void> {
  const signalled = new Promise<null>((done) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => done(null));
  });
  const engines: EngineProcess[] = [];
  try {
    for (const [engine, program] of programs) {
      const launch = LAUNCHES[engine](program);
      const folder = resolve(dataDir, program.name);
      const started = await EngineProcess.start(launch, { port: await portFor(engine), dataDir: folder });
      engines.push(started);
      say(`${program.name} runs (pid ${started.pid}); its log is ${relative('', started.logFile)}`);
    }
    say(programs.map(([engine], i) => `${URL_VARIABLE[engine]}=${engines[i]!.url}`).join(' '));
    say('Ctrl-C stops them.');
    const ended = engines.map((engine, i) => engine.ended().then(() => programs[i]![1].name));
    const name = await Promise.race([signalled, ...ended]);
    if (name !== null) throw new Failure(`${name} ended by itself; its log is under ${dataDir}`);
    say('Stopping …');
  } finally {
    await Promise.all(engines.map((engine) => engine.stop()));
  }
}

async function portFor(engine: EngineName): Promise<number> {
  const text = values[`${engine}-port`];
  if (text === undefined) return freePort(USUAL_PORTS[engine]);
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new Failure(`--${engine}-port must be a port from 1 to 65535, not ${text}`);
  }
  return port;
}

function say(text: string): void {
  process.stdout.write(`${text.trimEnd()}\n`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
