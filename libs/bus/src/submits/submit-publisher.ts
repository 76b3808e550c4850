import type { Submit, SubmitOutcome } from './submit.js';

/**
 * The gateway's side of the submit path.
 *
 * Guarantees:
 * - two submits of one caller to one partition, not awaited in between, are taken in the order of the calls;
 * - the promise never rejects and always settles, at the latest at the deadline (then as `unknown`, or
 *   `refused` with `NOT_ACCEPTED` when the submit certainly never reached the log);
 * - `stored` is reported only after the message is durable.
 */
export interface SubmitPublisher {
  submit(submit: Submit): Promise<SubmitOutcome>;
  /** Submits without an outcome yet, for the metric. */
  readonly unanswered: number;
}

export const SUBMIT_PUBLISHER = Symbol('SubmitPublisher');
