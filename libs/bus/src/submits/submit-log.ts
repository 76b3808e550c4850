import type { Submit, SubmitOutcome } from './submit.js';

/** Where a partition's reader stands; kept by the store in the same transaction as the messages. */
export interface LogPosition {
  /** Of the last submit that was dealt with; 0 before the first. Grows, not necessarily by 1. */
  readonly position: number;
  /** Its message id, by which a log that lost data is noticed; null before the first. */
  readonly messageId: string | null;
}

/**
 * The log does not hold the last submit that was dealt with, so it is not the one that was read: submits after it
 * that had no outcome yet may be gone. Whoever sent them was told nothing, or that the outcome is unknown.
 */
export interface LossRecord extends LogPosition {
  readonly partition: number;
  readonly found: 'no log' | 'a shorter log' | 'nothing at the position' | 'another submit';
}

export interface ReceivedSubmit {
  readonly position: number;
  readonly submit: Submit;
}

/**
 * The message-store's side of the submit path: one ordered log for each partition, read by its leader alone.
 *
 * Guarantees:
 * - submits come in log order, each once per reader, beginning after the given position;
 * - positions grow for ever, also when the log was lost and begins anew;
 * - nothing is acknowledged on reading: a reader that is opened again at an older position sees the same again;
 * - the log is bounded: while it is full, publishers get `NOT_ACCEPTED`.
 */
export interface SubmitLog {
  /**
   * Opens the partition after `from`; rejects when that cannot be done now. Only one reader of a partition is open
   * at a time, but for leaders who do not know yet that they have been replaced.
   */
  open(partition: number, from: LogPosition): Promise<SubmitReader>;
}

export interface SubmitReader {
  /**
   * Waits for at least one submit and returns up to `max` in order; `[]` only after `close`, or when the log has
   * lost data: open it again, which tells what.
   * May be called again before the outcomes of earlier submits were reported.
   */
  next(max: number): Promise<ReceivedSubmit[]>;
  /** Tells the submitting gateway the outcome; at most once is enough, a lost answer is asked for again. */
  answer(received: ReceivedSubmit, outcome: SubmitOutcome): void;
  /**
   * The store holds everything up to `position`, and the outcomes were reported: the log may forget what is before
   * it. Resolves when there is room again, which may take a moment.
   */
  purge(position: number): Promise<void>;
  /** Waits until nothing more will be returned; a waiting `next` returns `[]`. */
  close(): Promise<void>;
  /** Submits waiting in the log, as far as known, for the metric. */
  readonly backlog: number;
  /** What was found lost on opening. The same is found again by every opening until the store's position moves. */
  readonly lost: LossRecord | null;
}

export const SUBMIT_LOG = Symbol('SubmitLog');
