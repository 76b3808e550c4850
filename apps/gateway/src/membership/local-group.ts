import type { LocalUser } from './local-user.js';

/** A group with local members. */
export class LocalGroup {
  readonly members = new Set<LocalUser>();
  /** While changes may have been missed: members whose place has not been loaded since. */
  unsettled: Set<LocalUser> | null = null;

  constructor(
    readonly groupId: string,
    /** Up to here this pod has followed the group's changes. */
    public version: number,
  ) {}
}
