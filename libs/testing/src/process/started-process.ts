import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { guard } from './guard.js';
import { PATIENCE_MS } from './until.js';

export interface LogLine {
  readonly msg?: string;
  readonly level?: string;
  readonly [field: string]: unknown;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const LINES_SHOWN = 40;

/** A process that a test started, its output kept, ended by its pid also when the test's own process dies. */
export class StartedProcess {
  /** Everything written to standard output and standard error, line by line. */
  readonly lines: string[] = [];
  /** The lines that are JSON objects, parsed. */
  readonly logs: LogLine[] = [];
  readonly exited: Promise<Exit>;
  exit: Exit | null = null;

  private readonly child: ChildProcess;
  private readonly watchers = new Set<() => void>();

  constructor(
    readonly name: string,
    args: string[],
    env: Readonly<Record<string, string>>,
    cwd?: string,
  ) {
    this.child = spawn(process.execPath, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    const release = guard(this.pid);
    this.read(this.child.stdout!);
    this.read(this.child.stderr!);
    this.exited = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        this.exit = { code, signal };
        release();
        this.notify();
        resolve(this.exit);
      });
    });
  }

  get pid(): number {
    const pid = this.child.pid;
    if (pid === undefined) throw new Error(`${this.name} could not be started`);
    return pid;
  }

  /** Resolves with the first log line, past or to come, that `matches`; rejects when the process ends before. */
  async waitForLog(
    what: string,
    matches: (line: LogLine) => boolean,
    patienceMs = PATIENCE_MS,
  ): Promise<LogLine> {
    let seen = 0;
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        this.watchers.delete(look);
        act();
      };
      const look = () => {
        for (; seen < this.logs.length; seen++) {
          const line = this.logs[seen]!;
          if (matches(line)) return settle(() => resolve(line));
        }
        if (this.exit) settle(() => reject(this.error(`ended (${describe(this.exit!)}) before ${what}`)));
      };
      const timer = setTimeout(
        () => settle(() => reject(this.error(`did not log ${what} within ${patienceMs} ms`))),
        patienceMs,
      );
      this.watchers.add(look);
      look();
    });
  }

  /** Sends the signal and resolves with how the process ended; rejects when it lives on. */
  async end(signal: NodeJS.Signals, patienceMs = PATIENCE_MS): Promise<Exit> {
    if (!this.exit) this.child.kill(signal);
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(this.error(`did not end within ${patienceMs} ms of ${signal}`));
        this.child.kill('SIGKILL');
      }, patienceMs);
    });
    try {
      return await Promise.race([this.exited, tooLong]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resident memory in bytes. */
  async residentBytes(): Promise<number> {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(this.pid)]);
    return Number(stdout.trim()) * 1024;
  }

  error(what: string): Error {
    const last = this.lines.slice(-LINES_SHOWN).join('\n  ');
    return new Error(`${this.name} (pid ${this.pid}) ${what}; its last lines:\n  ${last}`);
  }

  private read(stream: NodeJS.ReadableStream): void {
    createInterface({ input: stream }).on('line', (line) => {
      this.lines.push(line);
      if (line.startsWith('{')) {
        try {
          this.logs.push(JSON.parse(line));
        } catch {
          return;
        }
        this.notify();
      }
    });
  }

  private notify(): void {
    for (const look of [...this.watchers]) look();
  }
}

export function describe(exit: Exit): string {
  return exit.signal ?? `code ${exit.code}`;
}
