import type { JoinPolicy, MembershipEvent } from '@starling/bus';
import type { Group, Place } from './repository/group-repository.js';

/** The group as the events leave it, in the same places; `policy` is that of a group which they create. */
export function groupAfter(
  group: Group | null,
  events: readonly MembershipEvent[],
  policy: JoinPolicy,
): Group | null {
  let after = group;
  for (const event of events) after = afterOne(after, event, policy);
  return after;
}

function afterOne(group: Group | null, event: MembershipEvent, policy: JoinPolicy): Group {
  const { groupId, version, change, userId, role, by } = event;
  const before = group ?? { policy, dissolved: false, memberCount: 0, places: new Map<string, Place>() };
  const { memberCount } = before;
  const places = new Map(before.places);
  const next = { ...before, groupId, version, places };
  if (change === 'dissolved' || userId === null)
    return { ...next, dissolved: true, memberCount: 0, places: new Map() };
  if (role !== null) {
    places.set(userId, { kind: 'member', role });
    return { ...next, memberCount: memberCount + (change === 'added' ? 1 : 0) };
  }
  if (by === userId) places.delete(userId);
  else places.set(userId, { kind: 'removed', by });
  return { ...next, memberCount: memberCount - 1 };
}
