import type { Submit, SubmitOutcome } from '../submits/submit.js';

/**
 * - `held`: not published yet, so it certainly is not in the log.
 * - `published`: on its way; the stream has not said anything.
 * - `taken`: the stream holds it, at `position`.
 * - `doubtful`: a copy may be in the stream, and another was refused. Its reply may still come.
 */
export type SubmitState = 'held' | 'published' | 'taken' | 'doubtful';

/** A submit that has no outcome yet. */
export class UnansweredSubmit {
  state: SubmitState = 'held';
  /** The position of the last try that the stream took; 0 before. */
  position = 0;
  /** Tries by different names; a name that was sent again counts once. */
  tries = 0;
  /** Whether a copy was sent of which it is not known what became of it. */
  wasResent = false;
  takenAt = 0;
  readonly submittedAt = performance.now();

  constructor(
    /** Names it in the subjects of its replies. */
    readonly number: number,
    readonly submit: Submit,
    readonly settle: (outcome: SubmitOutcome) => void,
  ) {}

  /** About the memory it takes, in characters. */
  get size(): number {
    return this.submit.content.length + this.submit.fields.length;
  }
}
