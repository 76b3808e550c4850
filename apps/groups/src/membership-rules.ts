import type { GroupRole, MembershipEvent } from '@starling/bus';
import { Refusal } from '@starling/protocol';
import type { Group } from './repository/group-repository.js';

/** One event of a change before it has its version. */
export type Step = Omit<MembershipEvent, 'groupId' | 'version'>;

/**
 * Who may do what, and what follows from it. Each rule takes the group as it stands (null: never created) and
 * answers the steps of the change, none when nothing has to change, or throws the Refusal.
 *
 * A group that has members has exactly one owner; a member of an emptied group becomes it.
 */
export function join(group: Group | null, userId: string, createIfMissing: boolean): Step[] {
  if (group === null) {
    if (!createIfMissing) throw new Refusal('GROUP_NOT_FOUND');
    return [enters(userId, 'owner', userId)];
  }
  if (group.dissolved) throw new Refusal('GROUP_NOT_FOUND');
  const place = group.places.get(userId);
  if (place?.kind === 'member') return [];
  if (place?.kind === 'removed') throw new Refusal('REMOVED_FROM_GROUP');
  // Also without members: what was said in a closed group is not for whoever comes next.
  if (group.policy !== 'open') throw new Refusal('GROUP_NOT_OPEN');
  return [enters(userId, roleOfNext(group), userId)];
}

/** `successor` is who takes the place of a leaving owner. */
export function quit(group: Group | null, userId: string, successor: string | null): Step[] {
  if (group === null || roleOf(group, userId) === null) return [];
  return leaves(group, userId, userId, successor);
}

export function create(group: Group | null, ownerId: string): Step[] {
  if (group !== null) throw new Refusal('GROUP_EXISTS');
  return [enters(ownerId, 'owner', null)];
}

export function add(group: Group | null, userId: string, by: string | null): Step[] {
  const existing = existingGroup(group);
  demandRole(existing, by, ['owner', 'admin']);
  if (roleOf(existing, userId) !== null) return [];
  return [enters(userId, roleOfNext(existing), by)];
}

export function remove(
  group: Group | null,
  userId: string,
  by: string | null,
  successor: string | null,
): Step[] {
  const existing = existingGroup(group);
  const role = roleOf(existing, userId);
  if (by === userId) return quit(existing, userId, successor);
  demandRole(existing, by, role === 'owner' || role === 'admin' ? ['owner'] : ['owner', 'admin']);
  if (role === null) return [];
  return leaves(existing, userId, by, successor);
}

/** The owner's own role changes only by leaving, or the group would be without one. */
export function setRole(
  group: Group | null,
  userId: string,
  role: 'admin' | 'member',
  by: string | null,
): Step[] {
  const existing = existingGroup(group);
  demandRole(existing, by, ['owner']);
  const current = roleOf(existing, userId);
  if (current === null) throw new Refusal('NOT_A_MEMBER');
  if (current === 'owner') throw new Refusal('NOT_ALLOWED_IN_GROUP');
  if (current === role) return [];
  return [{ change: 'role', userId, role, by }];
}

export function dissolve(group: Group | null, by: string | null): Step[] {
  const existing = existingGroup(group);
  demandRole(existing, by, ['owner']);
  return [{ change: 'dissolved', userId: null, role: null, by }];
}

function existingGroup(group: Group | null): Group {
  if (group === null || group.dissolved) throw new Refusal('GROUP_NOT_FOUND');
  return group;
}

function demandRole(group: Group, by: string | null, roles: readonly GroupRole[]): void {
  if (by === null) return;
  const role = roleOf(group, by);
  if (role === null || !roles.includes(role)) throw new Refusal('NOT_ALLOWED_IN_GROUP');
}

export function roleOf(group: Group, userId: string): GroupRole | null {
  const place = group.places.get(userId);
  return place?.kind === 'member' ? place.role : null;
}

function roleOfNext(group: Group): GroupRole {
  return group.memberCount === 0 ? 'owner' : 'member';
}

function enters(userId: string, role: GroupRole, by: string | null): Step {
  return { change: 'added', userId, role, by };
}

function leaves(group: Group, userId: string, by: string | null, successor: string | null): Step[] {
  const steps: Step[] = [{ change: 'removed', userId, role: null, by }];
  if (roleOf(group, userId) === 'owner' && successor !== null) {
    steps.push({ change: 'role', userId: successor, role: 'owner', by });
  }
  return steps;
}
