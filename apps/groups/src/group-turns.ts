/** Changes that share a commit, at most. */
const TOGETHER_MAX = 100;

/** A change that waits for its turn. */
export interface Turn<Change, Outcome> {
  readonly change: Change;
  /** Whether other changes of the group were made since it was asked for. */
  readonly waited: boolean;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Changes of one group one after the other, those of different groups side by side; what waited meanwhile takes the
 * next turn together. Versions alone would keep changes right; this spares a thousand users who join at once from
 * voiding each other's commits, and the store a transaction for each.
 */
export class GroupTurns<Change extends { readonly groupId: string; readonly alone: boolean }, Outcome> {
  /** Of the groups that have a turn under way: who waits for the next. */
  private readonly lines = new Map<string, Turn<Change, Outcome>[]>();

  /** `take` settles the changes it is given, all of one group, at least one. It never rejects. */
  constructor(private readonly take: (together: readonly Turn<Change, Outcome>[]) => Promise<void>) {}

  inTurn(change: Change): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const line = this.lines.get(change.groupId);
      const turn = { change, waited: line !== undefined, resolve, reject };
      if (line) {
        line.push(turn);
        return;
      }
      const first = [turn];
      this.lines.set(change.groupId, first);
      void this.takeAll(change.groupId, first);
    });
  }

  private async takeAll(groupId: string, line: Turn<Change, Outcome>[]): Promise<void> {
    while (line.length > 0) await this.take(line.splice(0, togetherIn(line)));
    this.lines.delete(groupId);
  }
}

/** How many of those in front take a turn together. */
function togetherIn(line: readonly { readonly change: { readonly alone: boolean } }[]): number {
  const untilAlone = line.findIndex(({ change }) => change.alone);
  if (untilAlone === 0) return 1;
  return Math.min(TOGETHER_MAX, untilAlone === -1 ? line.length : untilAlone);
}
