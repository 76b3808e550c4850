import type { EngineProcess } from '@starling/testing';
import { keepRunning } from './keep-running.js';
import type { Output } from './output.js';

/** An engine that was started here. When it dies it is started again, on the same port and data. */
export class KeptEngine {
  private readonly stopping = new AbortController();
  private readonly kept: Promise<void>;
  private lives = 0;

  constructor(
    private readonly engine: EngineProcess,
    private readonly output: Output,
  ) {
    this.kept = keepRunning(() => this.live(), output, this.stopping.signal);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.engine.stop();
    await this.kept;
    // Once more for one that was on its way to be started when it was stopped.
    await this.engine.stop();
  }

  /** The first life had begun before. */
  private async live(): Promise<string> {
    this.lives += 1;
    try {
      if (this.lives > 1) await this.engine.restart();
      if (this.stopping.signal.aborted) return 'is stopped';
      this.output.say(`at 127.0.0.1:${this.engine.port} (pid ${this.engine.pid})`);
      return `ended by itself (${await this.engine.ended()})`;
    } catch (error) {
      if (!this.stopping.signal.aborted) this.output.say((error as Error).message);
      return 'could not be started';
    }
  }
}
