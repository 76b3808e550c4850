import { execFileSync } from 'node:child_process';
import { closeSync, fsyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '@starling/testing';

/** What the figures were taken on. */
export interface Machine {
  readonly date: string;
  readonly commit: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly kernel: string;
  /** How long this disk takes to make 4 KB durable, the median of some: under every acknowledgement of Starling's. */
  readonly fsyncMs: number;
  readonly versions: Readonly<Record<string, string>>;
}

const PACKAGES = [
  'ws',
  'socket.io',
  '@socket.io/redis-adapter',
  'redis',
  'mongoose',
  '@nats-io/transport-node',
];
const FSYNCS = 100;

export function describeMachine(): Machine {
  const cores = cpus();
  return {
    date: new Date().toISOString(),
    commit: commit(),
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    fsyncMs: fsyncMs(),
    versions: {
      node: process.versions.node,
      sqlite: process.versions['sqlite'] ?? 'unknown',
      ...Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)])),
      ...engineVersions(),
    },
  };
}

function engineVersions(): Record<string, string> {
  const versions: Record<string, string> = {};
  for (const engine of ['nats', 'redis', 'mongodb'] as const) {
    const program = findProgram(engine, { machine: process.env, install: false });
    versions[engine] = 'why' in program ? 'none' : `${program.name} ${program.version}`;
  }
  return versions;
}

function versionOf(name: string): string {
  const text = readFileSync(`node_modules/${name}/package.json`, 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** With a plus when files differ from it. */
function commit(): string {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim();
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : '+'}`;
  } catch {
    return 'unknown';
  }
}

function fsyncMs(): number {
  const folder = mkdtempSync(join(tmpdir(), 'starling-bench-'));
  const file = openSync(join(folder, 'fsync'), 'w');
  const page = Buffer.alloc(4096);
  const times = Array.from({ length: FSYNCS }, () => {
    const begin = performance.now();
    writeSync(file, page);
    fsyncSync(file);
    return performance.now() - begin;
  });
  closeSync(file);
  rmSync(folder, { recursive: true });
  return times.sort((a, b) => a - b)[FSYNCS / 2]!;
}
