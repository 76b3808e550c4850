import type { GroupRole, JoinPolicy } from '@starling/bus';
import type { ErrorName } from '@starling/protocol';
import * as rules from './membership-rules.js';
import type { Group, Place } from './repository/group-repository.js';

const PLACES: [string, Place][] = [
  ['owner', { kind: 'member', role: 'owner' }],
  ['admin', { kind: 'member', role: 'admin' }],
  ['admin2', { kind: 'member', role: 'admin' }],
  ['member', { kind: 'member', role: 'member' }],
  ['member2', { kind: 'member', role: 'member' }],
  ['banned', { kind: 'removed', by: 'admin' }],
];

function group(changes: Partial<Group> = {}): Group {
  return {
    groupId: 'g',
    version: 7,
    policy: 'open',
    dissolved: false,
    memberCount: 5,
    places: new Map(PLACES),
    ...changes,
  };
}

const dissolved = group({ dissolved: true, memberCount: 0, places: new Map() });
const emptied = (policy: JoinPolicy) => group({ policy, memberCount: 0, places: new Map() });
const added = (userId: string, role: GroupRole, by: string | null) => ({ change: 'added', userId, role, by });
const removed = (userId: string, by: string | null) => ({ change: 'removed', userId, role: null, by });

function refusal(rule: () => unknown): ErrorName | 'allowed' {
  try {
    rule();
    return 'allowed';
  } catch (error) {
    return (error as { error: ErrorName }).error;
  }
}

describe('join', () => {
  it('creates a missing group with the joiner as owner, only where that is wanted', () => {
    expect(rules.join(null, 'ada', true)).toEqual([added('ada', 'owner', 'ada')]);
    expect(refusal(() => rules.join(null, 'ada', false))).toBe('GROUP_NOT_FOUND');
  });

  it('adds a stranger to an open group as a member, and changes nothing for members', () => {
    expect(rules.join(group(), 'ada', true)).toEqual([added('ada', 'member', 'ada')]);
    for (const user of ['owner', 'admin', 'member']) expect(rules.join(group(), user, true)).toEqual([]);
    expect(rules.join(group({ policy: 'closed' }), 'member', true)).toEqual([]);
  });

  it('makes the first of an emptied open group its owner, and nobody that of a closed one', () => {
    expect(rules.join(emptied('open'), 'ada', true)).toEqual([added('ada', 'owner', 'ada')]);
    expect(refusal(() => rules.join(emptied('closed'), 'ada', true))).toBe('GROUP_NOT_OPEN');
  });

  it('refuses the removed, closed groups and dissolved ones, each by its own name', () => {
    expect(refusal(() => rules.join(group(), 'banned', true))).toBe('REMOVED_FROM_GROUP');
    expect(refusal(() => rules.join(group({ policy: 'closed' }), 'banned', true))).toBe('REMOVED_FROM_GROUP');
    expect(refusal(() => rules.join(group({ policy: 'closed' }), 'ada', true))).toBe('GROUP_NOT_OPEN');
    expect(refusal(() => rules.join(dissolved, 'ada', true))).toBe('GROUP_NOT_FOUND');
  });
});

describe('quit', () => {
  it('lets members go, an owner with a successor, the last owner without', () => {
    expect(rules.quit(group(), 'member', null)).toEqual([removed('member', 'member')]);
    expect(rules.quit(group(), 'owner', 'admin')).toEqual([
      removed('owner', 'owner'),
      { change: 'role', userId: 'admin', role: 'owner', by: 'owner' },
    ]);
    expect(rules.quit(group(), 'owner', null)).toEqual([removed('owner', 'owner')]);
  });

  it('changes nothing for strangers, the removed, and where no group is', () => {
    expect(rules.quit(group(), 'ada', null)).toEqual([]);
    expect(rules.quit(group(), 'banned', null)).toEqual([]);
    expect(rules.quit(null, 'ada', null)).toEqual([]);
    expect(rules.quit(dissolved, 'owner', null)).toEqual([]);
  });
});

describe('create', () => {
  it('is refused where a group is or was', () => {
    expect(rules.create(null, 'ada')).toEqual([added('ada', 'owner', null)]);
    expect(refusal(() => rules.create(group(), 'owner'))).toBe('GROUP_EXISTS');
    expect(refusal(() => rules.create(dissolved, 'ada'))).toBe('GROUP_EXISTS');
  });
});

describe('add', () => {
  it.each<[string | null, ErrorName | 'allowed']>([
    [null, 'allowed'],
    ['owner', 'allowed'],
    ['admin', 'allowed'],
    ['member', 'NOT_ALLOWED_IN_GROUP'],
    ['banned', 'NOT_ALLOWED_IN_GROUP'],
    ['stranger', 'NOT_ALLOWED_IN_GROUP'],
  ])('by %p is %s', (by, expected) => {
    expect(refusal(() => rules.add(group({ policy: 'closed' }), 'ada', by))).toBe(expected);
    expect(refusal(() => rules.add(group(), 'banned', by))).toBe(expected);
  });

  it('does not let the removed or strangers add themselves', () => {
    expect(refusal(() => rules.add(group(), 'banned', 'banned'))).toBe('NOT_ALLOWED_IN_GROUP');
    expect(refusal(() => rules.add(group({ policy: 'closed' }), 'ada', 'ada'))).toBe('NOT_ALLOWED_IN_GROUP');
  });

  it('adds strangers and the removed as members, the first of an emptied group as owner', () => {
    expect(rules.add(group(), 'ada', 'admin')).toEqual([added('ada', 'member', 'admin')]);
    expect(rules.add(group(), 'banned', null)).toEqual([added('banned', 'member', null)]);
    expect(rules.add(emptied('closed'), 'ada', null)).toEqual([added('ada', 'owner', null)]);
  });

  it('changes nothing for a member, not even their role', () => {
    expect(rules.add(group(), 'owner', 'admin')).toEqual([]);
    expect(rules.add(group(), 'member', null)).toEqual([]);
  });
});

describe('remove', () => {
  it.each<[string | null, string, ErrorName | 'allowed']>([
    [null, 'owner', 'allowed'],
    [null, 'admin', 'allowed'],
    [null, 'member', 'allowed'],
    ['owner', 'admin', 'allowed'],
    ['owner', 'member', 'allowed'],
    ['admin', 'member', 'allowed'],
    ['admin', 'admin2', 'NOT_ALLOWED_IN_GROUP'],
    ['admin', 'owner', 'NOT_ALLOWED_IN_GROUP'],
    ['member', 'member2', 'NOT_ALLOWED_IN_GROUP'],
    ['member', 'stranger', 'NOT_ALLOWED_IN_GROUP'],
    ['stranger', 'member', 'NOT_ALLOWED_IN_GROUP'],
    ['banned', 'member', 'NOT_ALLOWED_IN_GROUP'],
  ])('by %p of %s is %s', (by, user, expected) => {
    expect(refusal(() => rules.remove(group(), user, by, null))).toBe(expected);
  });

  it('says who did it, and hands ownership over when an administrator removes the owner', () => {
    expect(rules.remove(group(), 'member', 'admin', null)).toEqual([removed('member', 'admin')]);
    expect(rules.remove(group(), 'owner', null, 'admin')).toEqual([
      removed('owner', null),
      { change: 'role', userId: 'admin', role: 'owner', by: null },
    ]);
  });

  it('of oneself is quitting', () => {
    expect(rules.remove(group(), 'member', 'member', null)).toEqual(rules.quit(group(), 'member', null));
    expect(rules.remove(group(), 'owner', 'owner', 'admin')).toEqual(rules.quit(group(), 'owner', 'admin'));
    expect(rules.remove(group(), 'stranger', 'stranger', null)).toEqual([]);
  });

  it('changes nothing for who is no member', () => {
    expect(rules.remove(group(), 'stranger', 'admin', null)).toEqual([]);
    expect(rules.remove(group(), 'banned', null, null)).toEqual([]);
  });
});

describe('setRole', () => {
  it.each<[string | null, ErrorName | 'allowed']>([
    [null, 'allowed'],
    ['owner', 'allowed'],
    ['admin', 'NOT_ALLOWED_IN_GROUP'],
    ['member', 'NOT_ALLOWED_IN_GROUP'],
    ['stranger', 'NOT_ALLOWED_IN_GROUP'],
  ])('by %p is %s', (by, expected) => {
    expect(refusal(() => rules.setRole(group(), 'member', 'admin', by))).toBe(expected);
  });

  it('changes the role, or nothing when it is held already', () => {
    expect(rules.setRole(group(), 'member', 'admin', 'owner')).toEqual([
      { change: 'role', userId: 'member', role: 'admin', by: 'owner' },
    ]);
    expect(rules.setRole(group(), 'admin', 'admin', 'owner')).toEqual([]);
  });

  it('never takes a group its owner, and needs a member', () => {
    for (const by of ['owner', null]) {
      expect(refusal(() => rules.setRole(group(), 'owner', 'member', by))).toBe('NOT_ALLOWED_IN_GROUP');
      expect(refusal(() => rules.setRole(group(), 'stranger', 'admin', by))).toBe('NOT_A_MEMBER');
      expect(refusal(() => rules.setRole(group(), 'banned', 'admin', by))).toBe('NOT_A_MEMBER');
    }
  });
});

describe('dissolve', () => {
  it.each<[string | null, ErrorName | 'allowed']>([
    [null, 'allowed'],
    ['owner', 'allowed'],
    ['admin', 'NOT_ALLOWED_IN_GROUP'],
    ['member', 'NOT_ALLOWED_IN_GROUP'],
    ['stranger', 'NOT_ALLOWED_IN_GROUP'],
  ])('by %p is %s', (by, expected) => {
    expect(refusal(() => rules.dissolve(group(), by))).toBe(expected);
  });
});

it.each<[string, (missing: Group | null) => unknown]>([
  ['add', (missing) => rules.add(missing, 'ada', null)],
  ['remove', (missing) => rules.remove(missing, 'ada', 'ada', null)],
  ['setRole', (missing) => rules.setRole(missing, 'ada', 'admin', null)],
  ['dissolve', (missing) => rules.dissolve(missing, null)],
])('%s finds neither missing nor dissolved groups', (_name, rule) => {
  expect(refusal(() => rule(null))).toBe('GROUP_NOT_FOUND');
  expect(refusal(() => rule(dissolved))).toBe('GROUP_NOT_FOUND');
});
