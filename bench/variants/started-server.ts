import { type LogLine, StartedProcess } from '@starling/testing';
import type { Target } from '../load/raw-client.js';
import type { Counted } from './variant.js';

const START_PATIENCE_MS = 60_000;
const STOP_PATIENCE_MS = 30_000;

/** A server that has said on which port it is ready. */
export interface StartedServer {
  readonly target: Target;
  readonly counted: Counted;
  stop(): Promise<void>;
}

/** What Node needs to find its files, and nothing else of our own environment. */
export const PLAIN_ENV = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '' };

/** Starts a server of this folder's `servers`. */
export function startPlainServer(
  file: string,
  env: Readonly<Record<string, string>> = {},
): Promise<StartedServer> {
  const main = `bench/variants/servers/${file}`;
  return startServer('server', ['--import', './deploy/typescript.mjs', main], { ...PLAIN_ENV, ...env });
}

export async function startServer(
  role: string,
  args: string[],
  env: Readonly<Record<string, string>>,
  cwd?: string,
): Promise<StartedServer> {
  const process = new StartedProcess(role, args, env, cwd);
  const isReady = ({ msg }: LogLine) => msg === 'ready';
  const { port } = await process.waitForLog('that it is ready', isReady, START_PATIENCE_MS);
  return {
    target: { host: '127.0.0.1', port: Number(port) },
    counted: { role, pid: process.pid, endsSockets: true },
    stop: async () => {
      await process.end('SIGTERM', STOP_PATIENCE_MS);
    },
  };
}
