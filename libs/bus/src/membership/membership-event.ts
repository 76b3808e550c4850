export type GroupRole = 'owner' | 'admin' | 'member';

/**
 * One committed change of a group's membership. `version` is the group's, raised by exactly 1 with each
 * change, so a follower that misses one knows it.
 */
export interface MembershipEvent {
  readonly groupId: string;
  readonly version: number;
  readonly change: 'added' | 'removed' | 'role' | 'dissolved';
  /** The user concerned; null when the group was dissolved, which concerns every member. */
  readonly userId: string | null;
  /** The role now held; null after a removal. */
  readonly role: GroupRole | null;
  /** Who did it: the user themself when they joined or quit; null for an administrator of the server. */
  readonly by: string | null;
}
