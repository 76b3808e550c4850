import type { GroupRole } from '../membership/membership-event.js';
import { requestPattern } from './pattern.js';

/** A user's place in a group as of the group's `version`. */
export interface Membership {
  readonly groupId: string;
  readonly version: number;
  /** Null: no member now (quit, removed, or the group was dissolved). */
  readonly role: GroupRole | null;
}

export interface MembershipOfUser extends Membership {
  /** The version with which the user became a member; later changes of the role keep it. */
  readonly memberSince: number;
}

/** With ids of the longest kind it stays far below what NATS carries. */
export const MEMBERS_ASKED_MAX = 500;

/** Those of the users asked about who are members as of the group's `version`. */
export interface MembersAmong {
  readonly groupId: string;
  readonly version: number;
  readonly members: readonly string[];
}

/** Answered after the change was published: it is effective for the asker's next step. */
export interface MembershipChange extends Membership {
  /** False when nothing had to change (joining as a member, quitting as a stranger). */
  readonly changed: boolean;
}

export type JoinPolicy = 'open' | 'closed';

export const GroupsRequest = {
  /**
   * The user joins by their own wish. Refusals: GROUP_NOT_FOUND (missing and `createIfMissing` false),
   * GROUP_NOT_OPEN, REMOVED_FROM_GROUP. A created group has policy `open` and the joiner as owner; so has
   * the first joiner of an existing group without members.
   */
  join: requestPattern<{ groupId: string; userId: string; createIfMissing: boolean }, MembershipChange>(
    'groups.join',
  ),
  /** The user leaves by their own wish; a leaving owner's place goes to the longest admin, else member. */
  quit: requestPattern<{ groupId: string; userId: string }, MembershipChange>('groups.quit'),
  /** Every group the user is a member of. */
  ofUser: requestPattern<{ userId: string }, { memberships: MembershipOfUser[] }>('groups.of-user'),
  /** Which of the users, `MEMBERS_ASKED_MAX` at most, are members; nobody, at version 0, when there is no such group. */
  membersAmong: requestPattern<{ groupId: string; userIds: readonly string[] }, MembersAmong>(
    'groups.members-among',
  ),

  /** Administration; `by` is null for an administrator of the server. Refusal: GROUP_EXISTS. */
  create: requestPattern<{ groupId: string; ownerId: string; policy: JoinPolicy }, MembershipChange>(
    'groups.create',
  ),
  /** Adds or re-adds a user, also one removed before. Refusals: GROUP_NOT_FOUND, NOT_ALLOWED_IN_GROUP. */
  add: requestPattern<{ groupId: string; userId: string; by: string | null }, MembershipChange>('groups.add'),
  /** Removes a member, who cannot join again until added. Refusals: GROUP_NOT_FOUND, NOT_ALLOWED_IN_GROUP. */
  remove: requestPattern<{ groupId: string; userId: string; by: string | null }, MembershipChange>(
    'groups.remove',
  ),
  /** Refusals: GROUP_NOT_FOUND, NOT_A_MEMBER (the user), NOT_ALLOWED_IN_GROUP. */
  setRole: requestPattern<
    { groupId: string; userId: string; role: 'admin' | 'member'; by: string | null },
    MembershipChange
  >('groups.set-role'),
  /** Ends the group for all; its id cannot be joined or created again. Refusals: GROUP_NOT_FOUND, NOT_ALLOWED_IN_GROUP. */
  dissolve: requestPattern<{ groupId: string; by: string | null }, { groupId: string; version: number }>(
    'groups.dissolve',
  ),
} as const;
