import type { Logger } from 'pino';

export type ProcessState = 'starting' | 'ready' | 'draining';

export interface ReadinessReport {
  readonly ready: boolean;
  readonly state: ProcessState;
  readonly checks: Readonly<Record<string, 'ok' | 'failed'>>;
  /** What somebody should look into though the process can work. */
  readonly notes: Readonly<Record<string, string>>;
}

/** Resolves when the part can do its work, rejects when it cannot. */
export type ReadinessCheck = () => Promise<void>;

/**
 * Whether the process should be sent new clients: it has started, is not stopping, and every part that
 * registered a check can work. Modules add theirs in their constructor or onModuleInit.
 */
export class ReadinessChecks {
  private state: ProcessState = 'starting';
  private readonly checks = new Map<string, ReadinessCheck>();
  private readonly failed = new Set<string>();
  private readonly notes = new Map<string, string>();
  private running: Promise<ReadinessReport> | null = null;

  constructor(
    private readonly logger: Logger,
    /** A check that takes longer counts as failed. */
    private readonly checkTimeoutMs = 2000,
  ) {}

  add(name: string, check: ReadinessCheck): void {
    if (this.checks.has(name)) throw new Error(`there is a readiness check named ${name}`);
    this.checks.set(name, check);
  }

  /** Stays in the report until the process ends, without making it unready. */
  note(about: string, text: string): void {
    this.notes.set(about, text);
  }

  /** The process has started: from now on the checks decide. */
  started(): void {
    if (this.state === 'starting') this.state = 'ready';
  }

  /** The process is stopping: not ready for good. */
  draining(): void {
    this.state = 'draining';
  }

  /** Runs every check; who asks meanwhile gets the same report, so that probes cannot pile up. */
  report(): Promise<ReadinessReport> {
    this.running ??= this.run().finally(() => (this.running = null));
    return this.running;
  }

  private async run(): Promise<ReadinessReport> {
    const names = [...this.checks.keys()];
    const results = await Promise.all(names.map((name) => this.passes(name)));
    return {
      ready: this.state === 'ready' && results.every(Boolean),
      state: this.state,
      checks: Object.fromEntries(names.map((name, i) => [name, results[i] ? 'ok' : 'failed'])),
      notes: Object.fromEntries(this.notes),
    };
  }

  private async passes(name: string): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no answer in time')), this.checkTimeoutMs);
    });
    try {
      await Promise.race([this.checks.get(name)!(), timeout]);
      if (this.failed.delete(name)) this.logger.info({ check: name }, 'ready again');
      return true;
    } catch (err) {
      if (!this.failed.has(name)) this.logger.warn({ check: name, err }, 'not ready');
      this.failed.add(name);
      return false;
    } finally {
      clearTimeout(timer);
    }
  }
}
