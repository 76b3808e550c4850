import type { Positions } from '@starling/bus';
import { isAtLeast, lowest } from './positions.js';

/** Up to where this pod has asked the store whether a broadcast was lost. Null before the first connection. */
export class CheckedPositions {
  private checked: Positions | null = null;
  private loweredDuringRound: Positions | null = null;
  private running = 0;

  /** Number of the round under way or, between two, of the last. */
  get round(): number {
    return this.running;
  }

  /** A listener gets what is above `positions`: the next round begins there at the latest. */
  include(positions: Positions): void {
    this.checked = lowest(this.checked, positions);
    this.loweredDuringRound = lowest(this.loweredDuringRound, positions);
  }

  /** Where the round begins; null when there is nothing to check. */
  begin(): Positions | null {
    this.loweredDuringRound = null;
    if (this.checked !== null) this.running++;
    return this.checked;
  }

  /** False when somebody came meanwhile who is due something from before the round began. */
  coversRound(after: Positions): boolean {
    return this.loweredDuringRound === null || isAtLeast(this.loweredDuringRound, after);
  }

  finish(reached: Positions): void {
    this.checked = lowest(this.loweredDuringRound, reached);
  }

  /** Nobody listens any more. */
  forget(): void {
    this.checked = null;
  }
}
