/** Only a step of the wall clock, or a machine that slept, is as much; a process that was not run for a while is less. */
const STEP_MS = 1000;

/**
 * The one clock that all spans of a process begin and end by, so that a part never reaches beyond its whole. Left to
 * itself the SDK anchors each span at whole milliseconds of its own, and ends by them what was given a start.
 */
export class SpanClock {
  private origin = performance.timeOrigin;

  /** Milliseconds since 1970, finer than `Date.now()`, of a moment by `performance.now()`; of now, if absent. */
  at(moment?: number): number {
    const now = performance.now();
    const behind = Date.now() - (this.origin + now);
    if (Math.abs(behind) >= STEP_MS) this.origin += behind;
    return this.origin + (moment ?? now);
  }
}
