import { Worker } from 'node:worker_threads';
import {
  StatementError,
  StorageUnavailableError,
  UniqueViolationError,
  UnmetExpectationError,
} from '../storage-errors.js';
import type { StorageError } from '../storage-errors.js';
import type { ThreadAnswer, ThreadFailure, ThreadJob, ThreadResult, ThreadStart } from './thread-messages.js';

/** Compiled code starts the compiled thread; under test this file is TypeScript and so is the thread. */
const THREAD_FILE = import.meta.url.endsWith('.ts')
  ? new URL('./sqlite-thread.ts', import.meta.url)
  : new URL('./sqlite-thread.js', import.meta.url);

/** One storage thread and the jobs it was given. Jobs are done in the order of the calls. */
export class StorageThread {
  private readonly waiting = new Map<number, (result: ThreadResult<unknown>) => void>();
  private readonly exited: Promise<void>;
  private lastId = 0;
  private ended: string | null = null;

  private constructor(private readonly worker: Worker) {
    worker.on('message', (answer: ThreadAnswer) => {
      this.waiting.get(answer.id)?.(answer.result);
      this.waiting.delete(answer.id);
    });
    worker.on('error', (error: Error) => this.end(`the storage thread failed: ${error.message}`));
    worker.on('messageerror', () => this.end('the storage thread sent something unreadable'));
    this.exited = new Promise((resolve) => {
      worker.on('exit', () => {
        this.end('the storage thread has ended');
        resolve();
      });
    });
  }

  /** Resolves with the file open. */
  static async start(start: ThreadStart): Promise<StorageThread> {
    const worker = new Worker(THREAD_FILE, {
      workerData: start,
      execArgv: ['--disable-warning=ExperimentalWarning'],
      name: `storage-${start.role}`,
    });
    const thread = new StorageThread(worker);
    try {
      unwrap(await thread.answerTo(0));
    } catch (error) {
      await worker.terminate();
      throw error;
    }
    return thread;
  }

  get pending(): number {
    return this.waiting.size;
  }

  async do<T>(job: ThreadJob): Promise<T> {
    if (this.ended !== null) throw new StorageUnavailableError(this.ended);
    const id = ++this.lastId;
    const answer = this.answerTo(id);
    try {
      this.worker.postMessage({ id, job });
    } catch (error) {
      this.waiting.delete(id);
      throw new StatementError((error as Error).message);
    }
    return unwrap(await answer) as T;
  }

  /** Finishes the jobs given before and ends the thread. */
  async close(): Promise<void> {
    if (this.ended === null) await this.do({ kind: 'close' }).catch(() => this.worker.terminate());
    await this.exited;
  }

  private answerTo(id: number): Promise<ThreadResult<unknown>> {
    return new Promise((resolve) => this.waiting.set(id, resolve));
  }

  private end(reason: string): void {
    if (this.ended !== null) return;
    this.ended = reason;
    for (const resolve of this.waiting.values()) {
      resolve({ ok: false, failure: { kind: 'unavailable', message: reason } });
    }
    this.waiting.clear();
  }
}

function unwrap(result: ThreadResult<unknown>): unknown {
  if (!result.ok) throw errorOf(result.failure);
  return result.value;
}

export function errorOf(failure: ThreadFailure): StorageError {
  switch (failure.kind) {
    case 'unavailable':
      return new StorageUnavailableError(failure.message);
    case 'statement':
      return new StatementError(failure.message);
    case 'unique':
      return new UniqueViolationError(failure.constraint);
    case 'unmet':
      return new UnmetExpectationError(failure.statement, failure.expected, failure.actual);
  }
}
