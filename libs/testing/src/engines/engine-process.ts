import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { guard } from '../process/guard.js';
import type { Engine, EngineOptions } from './engine.js';
import type { Program } from './find-program.js';
import { freePort, isFree } from './free-port.js';

/** How one kind of program is run as an engine. */
export interface Launch {
  readonly program: Program;
  args(port: number, dataDir: string): string[];
  /** Resolves with the URL once the engine serves; null, or an error, while it does not yet. */
  probe(port: number): Promise<string | null>;
}

/** Less than a test waits, so that it says what hindered the engine. */
const START_PATIENCE_MS = 25_000;
const LOOK_AGAIN_MS = 10;
const STOP_PATIENCE_MS = 20_000;
const LINES_SHOWN = 20;
const LOG = 'engine.log';

/** An engine as a child process, ended by its pid also when this process dies. */
export class EngineProcess implements Engine {
  readonly port: number;
  readonly dataDir: string;
  private readonly launch: Launch;
  private readonly ownsDataDir: boolean;
  private running: Running | null = null;
  private servesAt = '';

  private constructor(launch: Launch, port: number, dataDir: string | undefined) {
    this.launch = launch;
    this.port = port;
    this.ownsDataDir = dataDir === undefined;
    // Absolute, since the engine runs in that folder.
    this.dataDir = resolve(dataDir ?? mkdtempSync(join(tmpdir(), `starling-${launch.program.name}-`)));
    mkdirSync(this.dataDir, { recursive: true });
  }

  static async start(launch: Launch, options: EngineOptions = {}): Promise<EngineProcess> {
    const port = options.port ?? (await freePort());
    const engine = new EngineProcess(launch, port, options.dataDir);
    try {
      await engine.start();
      return engine;
    } catch (error) {
      await engine.stop();
      throw error;
    }
  }

  get url(): string {
    return this.servesAt;
  }

  get pid(): number {
    return this.alive.pid;
  }

  get logFile(): string {
    return join(this.dataDir, LOG);
  }

  /** Resolves when the process that runs now, or ran last, has ended, with how. */
  async ended(): Promise<string> {
    if (!this.running) throw this.error('does not run');
    return this.running.ended;
  }

  async kill9(): Promise<void> {
    await this.end('SIGKILL');
  }

  async restart(): Promise<void> {
    await this.end('SIGTERM');
    await this.start();
  }

  pause(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  async stop(): Promise<void> {
    // A clean stop takes seconds for some, and is worth it only to data that somebody keeps.
    await this.end(this.ownsDataDir ? 'SIGKILL' : 'SIGTERM');
    if (this.ownsDataDir) rmSync(this.dataDir, { recursive: true, force: true });
  }

  private async start(): Promise<void> {
    // Else whoever has the port would be taken for ours.
    if (!(await isFree(this.port))) throw this.error('finds that somebody else listens there');
    const running = new Running(this.launch, this.port, this.dataDir, this.logFile);
    this.running = running;
    let hindrance = 'it does not answer';
    for (const end = Date.now() + START_PATIENCE_MS; Date.now() < end; await delay(LOOK_AGAIN_MS)) {
      if (running.hasEnded) throw this.error('ended before it served');
      try {
        const url = await this.launch.probe(this.port);
        if (url !== null) {
          this.servesAt = url;
          return;
        }
      } catch (error) {
        hindrance = (error as Error).message;
      }
    }
    throw this.error(`does not serve after ${START_PATIENCE_MS} ms (${hindrance})`);
  }

  private async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const { running } = this;
    if (!running) return;
    if (!(await running.end(signal))) {
      await running.end('SIGKILL');
      throw this.error(`did not end within ${STOP_PATIENCE_MS} ms of ${signal}`);
    }
    this.running = null;
  }

  private get alive(): Running {
    if (!this.running || this.running.hasEnded) throw this.error('does not run');
    return this.running;
  }

  private error(what: string): Error {
    const log = readFileSync(this.logFile, { encoding: 'utf8', flag: 'a+' });
    const last = log.trimEnd().split('\n').slice(-LINES_SHOWN).join('\n  ');
    return new Error(`${this.launch.program.name} on port ${this.port} ${what}; its last lines:\n  ${last}`);
  }
}

/** One life of the engine's process. */
class Running {
  private readonly child: ChildProcess;
  readonly ended: Promise<string>;

  constructor(launch: Launch, port: number, dataDir: string, logFile: string) {
    const [file, ...args] = [...launch.program.argv, ...launch.args(port, dataDir)];
    const log = openSync(logFile, 'a');
    // A process group of its own: Ctrl-C is for whoever started it, who then stops it.
    this.child = spawn(file!, args, {
      cwd: dataDir,
      env: { PATH: process.env['PATH'], HOME: dataDir, ...launch.program.env },
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    const release = this.child.pid === undefined ? () => undefined : guard(this.child.pid);
    this.ended = new Promise((resolve) => {
      const end = () => {
        release();
        const { exitCode, signalCode } = this.child;
        resolve(signalCode ?? `code ${exitCode}`);
      };
      this.child.once('exit', end);
      this.child.once('error', end);
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  get hasEnded(): boolean {
    return this.child.pid === undefined || this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Sends the signal; resolves with whether the process ended of it. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<boolean> {
    if (this.hasEnded) return true;
    this.child.kill(signal);
    // A paused process takes SIGTERM only when it goes on.
    this.child.kill('SIGCONT');
    const { promise: late, resolve: giveUp } = Promise.withResolvers<false>();
    const timer = setTimeout(giveUp, STOP_PATIENCE_MS, false);
    const result = await Promise.race([this.ended.then(() => true), late]);
    clearTimeout(timer);
    return result;
  }
}
