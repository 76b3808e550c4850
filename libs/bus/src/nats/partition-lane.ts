import type { SubmitOutcome } from '../submits/submit.js';
import type { UnansweredSubmit } from './unanswered-submit.js';

/** While a worker was heard within this time submits are published without asking whether there is one. */
const WORKER_TRUSTED_MS = 1000;
/** A handover takes a moment in which nobody reads; only when it lasts longer are submits refused. */
const NOBODY_PATIENCE_MS = 250;
/** After a reconnect workers may need longer than this gateway to come back. */
const RECONNECT_PATIENCE_MS = 3000;
const ASK_AGAIN_MS = 50;
/** An ask without any answer: the worker or NATS hangs, or the ask was lost. */
const ASK_UNANSWERED_MS = 500;
/** Submits that the stream took and that have no reply for so long are asked after. */
const REPLY_PATIENCE_MS = 500;

const NOT_ACCEPTED: SubmitOutcome = { kind: 'refused', error: 'NOT_ACCEPTED' };

/** What a lane does through the publisher. */
export interface LaneWire {
  readonly isConnected: boolean;
  /** Sends the submit's current try. False when it can never be sent. */
  publish(entry: UnansweredSubmit): boolean;
  /** Asks the partition's worker how far it is. */
  ask(partition: number): void;
  settled(entry: UnansweredSubmit, outcome: SubmitOutcome): void;
}

/**
 * The unanswered submits of one partition, in the order of the calls; those that are held come last.
 *
 * What is held goes out once a worker is known to read the partition. After a reconnect what has no answer of the
 * stream goes out again first, in order and under its old names. A worker tells up to where all submits have been
 * answered: whatever is taken at or below that and has no reply has lost it, and goes out under a new name, which
 * the worker answers from the store.
 */
export class PartitionLane {
  private readonly entries = new Map<number, UnansweredSubmit>();
  private held = new Set<UnansweredSubmit>();
  private workerHeardAt = -Infinity;
  private answeredUpTo = 0;
  private askedAt: number | null = null;
  /** The first and the last time in a row that nobody was there. */
  private nobody: { since: number; at: number } | null = null;
  private mustResend = false;
  private reconnectedAt = -Infinity;

  constructor(
    private readonly partition: number,
    private readonly wire: LaneWire,
  ) {}

  get isEmpty(): boolean {
    return this.entries.size === 0;
  }

  add(entry: UnansweredSubmit): void {
    this.entries.set(entry.number, entry);
    this.held.add(entry);
    this.goOn();
  }

  /** What was published may be lost, and so may replies. */
  reconnected(): void {
    this.reconnectedAt = performance.now();
    this.workerHeardAt = -Infinity;
    this.askedAt = null;
    this.nobody = null;
    if (this.isEmpty) return;
    this.mustResend = true;
    this.ask();
  }

  replied(entry: UnansweredSubmit, outcome: SubmitOutcome): void {
    this.workerHeardAt = performance.now();
    this.settle(entry, outcome);
  }

  workerAnswered(answeredUpTo: number): void {
    this.workerHeardAt = performance.now();
    this.askedAt = null;
    this.nobody = null;
    this.answeredUpTo = Math.max(this.answeredUpTo, answeredUpTo);
    if (this.mustResend) this.resend();
    for (const entry of this.entries.values()) {
      if (entry.state === 'taken') this.tryAgainIfReplyIsLost(entry);
    }
    this.goOn();
  }

  nobodyAnswers(): void {
    const now = performance.now();
    this.workerHeardAt = -Infinity;
    if (this.nobody === null || now - this.nobody.at > WORKER_TRUSTED_MS)
      this.nobody = { since: now, at: now };
    this.nobody.at = now;
    if (now - this.nobody.since < NOBODY_PATIENCE_MS) return;
    if (now - this.reconnectedAt < RECONNECT_PATIENCE_MS) return;
    const { held } = this;
    this.held = new Set();
    for (const entry of held) this.settle(entry, NOT_ACCEPTED);
  }

  taken(entry: UnansweredSubmit, position: number): void {
    if (entry.state !== 'published') return;
    entry.state = 'taken';
    entry.position = position;
    entry.takenAt = performance.now();
    this.tryAgainIfReplyIsLost(entry);
  }

  /** `isCertain`: this copy is not in the stream, and never will be. */
  refused(entry: UnansweredSubmit, isCertain: boolean): void {
    if (entry.state !== 'published') return;
    if (entry.tries > 1) {
      // An earlier try was taken; another follows when the reply is found missing again.
      entry.state = 'taken';
      entry.takenAt = performance.now();
    } else if (isCertain && !entry.wasResent) {
      this.settle(entry, NOT_ACCEPTED);
    } else {
      // Sent again it could come behind those that were submitted later.
      entry.state = 'doubtful';
    }
  }

  tick(deadlineMs: number): void {
    const now = performance.now();
    let oldestTaken: UnansweredSubmit | null = null;
    for (const entry of this.entries.values()) {
      if (now - entry.submittedAt >= deadlineMs) this.giveUp(entry);
      else if (entry.state === 'taken') {
        oldestTaken = entry;
        break;
      } else if (entry.state === 'held') break;
    }
    const mustAsk =
      this.held.size > 0 ||
      this.mustResend ||
      (oldestTaken !== null && now - oldestTaken.takenAt > REPLY_PATIENCE_MS);
    if (mustAsk && this.mayAskAgain(now)) this.ask();
  }

  /** The publisher closes. */
  giveUpAll(): void {
    for (const entry of [...this.entries.values()]) this.giveUp(entry);
  }

  private goOn(): void {
    if (this.held.size === 0) return;
    if (!this.wire.isConnected || this.mustResend) return;
    if (performance.now() - this.workerHeardAt > WORKER_TRUSTED_MS) {
      if (this.askedAt === null) this.ask();
      return;
    }
    const { held } = this;
    this.held = new Set();
    for (const entry of held) this.publishNewTry(entry);
  }

  private resend(): void {
    this.mustResend = false;
    for (const entry of this.entries.values()) {
      if (entry.state !== 'published') continue;
      entry.wasResent = true;
      this.wire.publish(entry);
    }
  }

  private tryAgainIfReplyIsLost(entry: UnansweredSubmit): void {
    if (entry.position <= this.answeredUpTo && this.wire.isConnected) this.publishNewTry(entry);
  }

  private publishNewTry(entry: UnansweredSubmit): void {
    entry.tries += 1;
    entry.state = 'published';
    if (!this.wire.publish(entry)) this.settle(entry, { kind: 'refused', error: 'NOT_STORABLE' });
  }

  private mayAskAgain(now: number): boolean {
    if (this.askedAt === null) return true;
    const isRefused = this.nobody !== null && this.nobody.at >= this.askedAt;
    return now - this.askedAt >= (isRefused ? ASK_AGAIN_MS : ASK_UNANSWERED_MS);
  }

  private ask(): void {
    if (!this.wire.isConnected) return;
    this.askedAt = performance.now();
    this.wire.ask(this.partition);
  }

  private giveUp(entry: UnansweredSubmit): void {
    this.settle(entry, entry.state === 'held' ? NOT_ACCEPTED : { kind: 'unknown' });
  }

  private settle(entry: UnansweredSubmit, outcome: SubmitOutcome): void {
    if (!this.entries.delete(entry.number)) return;
    this.held.delete(entry);
    this.wire.settled(entry, outcome);
  }
}
