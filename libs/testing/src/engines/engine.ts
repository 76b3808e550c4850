/** An engine that tests, or a person, can use; and disturb, unless it was started by others. */
export interface Engine {
  /** What NATS_URL, REDIS_URL or MONGODB_URL would be. */
  readonly url: string;
  readonly port: number;
  /** Of the process that runs now. */
  readonly pid: number;
  /** Ends the process as the power going out would end it; what the system took from it to write is kept. */
  kill9(): Promise<void>;
  /** Starts it on the same port and data, after a clean stop if it still runs. Resolves when it serves. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers, until `resume`. */
  pause(): void;
  resume(): void;
  /** Stops it and removes its data, unless the data has a folder of the caller's. */
  stop(): Promise<void>;
}

export interface EngineOptions {
  /** A free one by default. */
  readonly port?: number;
  /** Kept when the engine stops; by default a new folder that is removed. */
  readonly dataDir?: string;
}

/** An engine that runs elsewhere, named by the environment: for use, not to be disturbed or stopped. */
export class GivenEngine implements Engine {
  readonly url: string;
  readonly port: number;
  private readonly variable: string;

  constructor(variable: string, url: string) {
    this.variable = variable;
    this.url = url;
    this.port = Number(new URL(url).port);
  }

  get pid(): number {
    throw this.notOurs();
  }

  async kill9(): Promise<void> {
    throw this.notOurs();
  }

  async restart(): Promise<void> {
    throw this.notOurs();
  }

  pause(): void {
    throw this.notOurs();
  }

  resume(): void {
    throw this.notOurs();
  }

  async stop(): Promise<void> {
    // It goes on for whom it belongs to.
  }

  private notOurs(): Error {
    return new Error(
      `${this.variable} names an engine that others started: use describeWithOwnEngines for tests that disturb it`,
    );
  }
}
