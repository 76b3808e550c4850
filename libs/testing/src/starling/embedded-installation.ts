import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StartedProcess } from '../process/started-process.js';
import { PATIENCE_MS } from '../process/until.js';
import { type Installation, ready, type Service, spawnApp } from './installation.js';

const APP = 'standalone';

/** Everything in one process, on a folder. */
export class EmbeddedInstallation implements Installation {
  readonly dataDir: string;
  processes: readonly StartedProcess[] = [];
  gateways: readonly Service[] = [];
  private readonly ownsDataDir: boolean;

  constructor(
    private readonly env: Readonly<Record<string, string>>,
    dataDir: string | undefined,
  ) {
    this.ownsDataDir = dataDir === undefined;
    this.dataDir = dataDir ?? mkdtempSync(join(tmpdir(), 'starling-test-'));
  }

  async start(env: Readonly<Record<string, string>>): Promise<void> {
    const process = this.spawn(env);
    this.processes = [process];
    this.gateways = [await ready(APP, process)];
  }

  spawn(env: Readonly<Record<string, string>>): StartedProcess {
    return spawnApp(APP, { DATA_DIR: this.dataDir, ...this.env, ...env });
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await Promise.all(this.processes.map((process) => process.end(signal, 2 * PATIENCE_MS)));
  }

  async dispose(): Promise<void> {
    if (this.ownsDataDir) rmSync(this.dataDir, { recursive: true, force: true });
  }
}
