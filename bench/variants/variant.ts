import type { Target } from '../load/raw-client.js';

/** A process whose CPU time and memory count. */
export interface Counted {
  /** What it is, the same for processes that share their work. */
  readonly role: string;
  readonly pid: number;
  /** Whether clients connect to it. */
  readonly endsSockets: boolean;
}

/** A variant's processes, ready for clients. */
export interface Running {
  readonly targets: readonly Target[];
  readonly processes: readonly Counted[];
  /** Stops the processes, in order and cleanly. */
  stop(): Promise<void>;
}

export interface StartOptions {
  /** Where Node's profiles of Starling's processes go when they end; null: none are taken. */
  readonly profiles: string | null;
}

/** Something to be measured. */
export interface Variant {
  /** As the tables name it. */
  readonly letter: string;
  readonly name: string;
  start(options: StartOptions): Promise<Running>;
}
