import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { EngineName } from './engine-name.js';
import { install, installed, type Machine, NotInstalled } from './install.js';
import { type Command, DEFAULT_RECIPES, FAST_STORE, type Recipe } from './recipes.js';
import { isAtLeast, type Version, versionIn, versionText } from './version.js';

export type ProgramName = Recipe['program'] | 'redis-server' | 'mongod';

/** A program on this machine that can serve as an engine. */
export interface Program extends Command {
  readonly name: ProgramName;
  readonly version: string;
}

/** Why there is none, and how a person gets one. */
export interface NoProgram {
  readonly why: string;
  readonly remedy: string;
}

interface Candidate {
  readonly name: ProgramName;
  readonly oldest: Version;
}

/** What serves as each engine when it is on the PATH, the preferred first. */
const ON_THE_PATH: Readonly<Record<EngineName, readonly Candidate[]>> = {
  nats: [{ name: 'nats-server', oldest: [2, 12] }],
  redis: [
    { name: 'valkey-server', oldest: [7] },
    { name: 'redis-server', oldest: [7] },
  ],
  mongodb: [{ name: 'mongod', oldest: [7] }],
};

const REMEDIES: Readonly<Record<EngineName, string>> = {
  nats: 'put nats-server 2.12 or newer on the PATH, or set NATS_URL to one that runs with JetStream',
  redis:
    'put redis-server or valkey-server 7 or newer on the PATH (apt-get install redis-server), or set REDIS_URL',
  mongodb:
    'put mongod 7 or newer on the PATH, or set MONGODB_URL to a replica set (docker run -p 27017:27017 mongo:8 --replSet rs0, then rs.initiate())',
};

export interface FindOptions {
  readonly machine: Machine;
  /** Install when there is none; else only what is there counts. */
  readonly install: boolean;
}

/** Looks on the PATH, then in the user's cache folder, then installs. */
export function findProgram(engine: EngineName, options: FindOptions): Program | NoProgram {
  const { machine } = options;
  const reasons: string[] = [];
  for (const candidate of ON_THE_PATH[engine]) {
    const found = onThePath(candidate, machine);
    if (typeof found !== 'string') return found;
    reasons.push(found);
  }
  const recipe = DEFAULT_RECIPES[engine];
  const recipes = recipe.engine === FAST_STORE.engine ? [FAST_STORE, recipe] : [recipe];
  for (const each of recipes) {
    const command = installed(each, machine);
    if (command) return { ...command, name: each.program, version: each.version };
  }
  reasons.push(`${recipe.program} ${recipe.version} is not installed for this user`);
  if (options.install) {
    try {
      return { ...install(recipe, machine), name: recipe.program, version: recipe.version };
    } catch (error) {
      if (!(error instanceof NotInstalled)) throw error;
      reasons.push(error.message);
    }
  }
  return { why: reasons.join('; '), remedy: REMEDIES[engine] };
}

/** The program, or why it does not serve. */
function onThePath({ name, oldest }: Candidate, machine: Machine): Program | string {
  const file = (machine['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable);
  if (file === undefined) return `no ${name} on the PATH`;
  const { status, stdout } = spawnSync(file, ['--version'], { encoding: 'utf8', env: { ...machine } });
  const version = status === 0 ? versionIn(stdout) : null;
  if (!version) return `${file} does not tell its version`;
  if (!isAtLeast(version, oldest)) {
    return `${file} is ${versionText(version)}, older than ${versionText(oldest)}`;
  }
  return { name, version: versionText(version), argv: [file], env: {} };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
