/**
 * Changes of one group one after the other, those of different groups side by side. Versions alone would keep
 * changes right; this spares a thousand users who join at once from voiding each other's commits.
 */
export class GroupTurns {
  private readonly latest = new Map<string, Promise<unknown>>();

  async inTurn<T>(groupId: string, change: () => Promise<T>): Promise<T> {
    const before = this.latest.get(groupId) ?? Promise.resolve();
    const turn = before.then(change, change);
    this.latest.set(groupId, turn);
    try {
      return await turn;
    } finally {
      if (this.latest.get(groupId) === turn) this.latest.delete(groupId);
    }
  }
}
