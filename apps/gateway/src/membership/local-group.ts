import type { LocalUser } from './local-user.js';

/** A group with local members. */
export class LocalGroup {
  readonly members = new Set<LocalUser>();
  /** While changes may have been missed: members whose place has not been loaded since. */
  unsettled: Set<LocalUser> | null = null;

  /**
   * The version the stream has brought last. Snapshots can be ahead of the stream; a hole in what it brings shows
   * all the same. Infinity: whatever it brings next has no hole before it.
   */
  lastRead: number;

  constructor(
    readonly groupId: string,
    /** The places of all local members are known as of this version. */
    public version: number,
  ) {
    this.lastRead = version;
  }
}
