import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { guard } from '@starling/testing';
import { keepRunning } from './keep-running.js';
import { Output } from './output.js';

const STOP_PATIENCE_MS = 30_000;

/** One process of Starling: its output goes on with its name in front. */
export class Service {
  private readonly output: Output;
  private readonly stopping = new AbortController();
  private child: ChildProcess | null = null;
  private ended: Promise<unknown> = Promise.resolve();

  constructor(
    name: string,
    private readonly app: string,
    private readonly env: NodeJS.ProcessEnv,
  ) {
    this.output = new Output(name);
  }

  /** Once, to its end. Resolves with the exit code, or the signal that killed it. */
  runOnce(): Promise<number | NodeJS.Signals | null> {
    const ended = this.run();
    this.ended = ended;
    return ended;
  }

  /** And again whenever it dies, until `stop`. */
  start(): void {
    const live = async () => {
      const how = await this.run();
      return `ended by itself (${typeof how === 'number' ? `code ${how}` : how})`;
    };
    this.ended = keepRunning(live, this.output, this.stopping.signal);
  }

  /** Resolves when the process has ended, killed if it did not within its patience. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.child?.kill('SIGTERM');
    const late = setTimeout(() => {
      this.output.tell(`did not stop within ${STOP_PATIENCE_MS / 1000} s: killed`);
      this.child?.kill('SIGKILL');
    }, STOP_PATIENCE_MS);
    await this.ended;
    clearTimeout(late);
  }

  private run(): Promise<number | NodeJS.Signals | null> {
    // A process group of its own: Ctrl-C is for us, who stop the processes in order.
    const child = spawn(process.execPath, ['--enable-source-maps', `dist/apps/${this.app}/src/main.js`], {
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.child = child;
    if (child.pid !== undefined) this.output.say(`started (pid ${child.pid})`);
    const release = child.pid === undefined ? () => undefined : guard(child.pid);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => this.output.say(line));
    }
    return new Promise((done) => {
      child.once('error', (error) => this.output.tell(error.message));
      child.once('close', (code, signal) => {
        this.child = null;
        release();
        done(code ?? signal);
      });
    });
  }
}
