import type { GroupRole, JoinPolicy, MembershipEvent, MembershipOfUser } from '@starling/bus';

/** A group as of its version. */
export interface Group {
  readonly groupId: string;
  readonly version: number;
  readonly policy: JoinPolicy;
  readonly dissolved: boolean;
  readonly memberCount: number;
  /** The places of the users asked for, as of the same version; users without one are not in it. */
  readonly places: ReadonlyMap<string, Place>;
}

/** What a group knows of a user: a member's role, or that somebody else removed them. Who quit is forgotten. */
export type Place =
  | { readonly kind: 'member'; readonly role: GroupRole }
  /** `by` is null when an administrator of the server did it. */
  | { readonly kind: 'removed'; readonly by: string | null };

export interface GroupChange {
  readonly groupId: string;
  /** The version that the events were decided on; 0 creates the group. */
  readonly from: number;
  /** Taken when the group is created, kept by later changes. */
  readonly policy: JoinPolicy;
  /** At least one, numbered `from + 1` and on. Places, member count and dissolution follow from them. */
  readonly events: readonly MembershipEvent[];
}

/**
 * Groups, their members, and the outbox of events that are committed but perhaps not published yet.
 *
 * Guarantees:
 * - a change commits as a whole (version, places, outbox) or not at all, durably when `commit` resolves, and
 *   only while the group's version is still `from`: so versions have neither holes nor forks;
 * - what `read` and `ofUser` say of a user held at the version they say it with.
 */
export interface GroupRepository {
  /** Null when the group was never created. */
  read(groupId: string, userIds: readonly string[]): Promise<Group | null>;
  /** Every group that the user is a member of. */
  ofUser(userId: string): Promise<MembershipOfUser[]>;
  /**
   * Who follows the owner: the admin, else the member, who has had that role the longest; null when there is
   * nobody else. Read after `read`, it needs no common version: a change in between voids the commit.
   */
  successor(groupId: string): Promise<string | null>;
  /** False, with nothing changed, when the group's version is another than `from`. */
  commit(change: GroupChange): Promise<boolean>;

  /** The group's oldest events in the outbox, in the order of versions. */
  unpublished(groupId: string, limit: number): Promise<MembershipEvent[]>;
  groupsWithUnpublished(limit: number): Promise<string[]>;
  /** Takes the group's events up to the version, inclusive, out of the outbox. */
  forgetPublished(groupId: string, upTo: number): Promise<void>;
}

export const GROUP_REPOSITORY = Symbol('GroupRepository');
