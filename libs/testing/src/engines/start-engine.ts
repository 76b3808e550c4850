import { type Engine, type EngineOptions, GivenEngine } from './engine.js';
import { type EngineName, URL_VARIABLE } from './engine-name.js';
import { EngineProcess, type Launch } from './engine-process.js';
import { findProgram, type Program } from './find-program.js';
import {
  type MongoConfig,
  mongoServer,
  type NatsConfig,
  natsServer,
  type RedisConfig,
  redisServer,
} from './launches.js';

/**
 * nats-server with JetStream on files, synced every second by default. The engine of NATS_URL when that is set.
 * @throws when there is none and none can be installed
 */
export async function startNats(options: EngineOptions & { config?: NatsConfig } = {}): Promise<Engine> {
  return start('nats', (program) => natsServer(program, options.config), options);
}

/**
 * redis-server or valkey-server with an append-only file. The engine of REDIS_URL when that is set.
 * @throws when there is none and none can be installed
 */
export async function startRedis(options: EngineOptions & { config?: RedisConfig } = {}): Promise<Engine> {
  return start('redis', (program) => redisServer(program, options.config), options);
}

/**
 * A server of MongoDB's protocol with transactions: mongod as a replica set of one, or SecantusDB. The engine of
 * MONGODB_URL when that is set. Take the replica set's name from the URL.
 * @throws when there is none and none can be installed
 */
export async function startMongo(options: EngineOptions & MongoConfig = {}): Promise<Engine> {
  return start('mongodb', (program) => mongoServer(program, options), options);
}

async function start(
  engine: EngineName,
  launch: (program: Program) => Launch,
  options: EngineOptions,
): Promise<Engine> {
  const given = process.env[URL_VARIABLE[engine]];
  if (given) return new GivenEngine(URL_VARIABLE[engine], given);
  const program = findProgram(engine, { machine: process.env, install: true });
  if ('why' in program) throw new Error(`${engine}: ${program.why}. To get it: ${program.remedy}.`);
  return EngineProcess.start(launch(program), options);
}
