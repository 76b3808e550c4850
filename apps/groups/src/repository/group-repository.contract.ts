import type { MembershipEvent } from '@starling/bus';
import type { GroupChange, GroupRepository } from './group-repository.js';

export interface GroupStoreUnderTest {
  readonly repository: GroupRepository;
  /** Closes the store and opens it again on the same data. */
  reopen(): Promise<GroupRepository>;
  stop(): Promise<void>;
}

const ODD_IDS = [
  '__proto__',
  'constructor',
  "o'hara",
  '"; DROP TABLE chat_groups; --',
  '{"$gt":""}',
  'a.b$c',
  '%_?',
  'a\u0000b',
  'a\u0000c',
  'A',
  'a',
  'é',
  'e\u0301',
  '群组😀',
  ' ',
  'x'.repeat(1000),
];

/** What every implementation of GroupRepository promises. */
export function groupRepositoryContract(name: string, start: () => Promise<GroupStoreUnderTest>): void {
  describe(`group repository: ${name}`, () => {
    let store: GroupStoreUnderTest;
    let repository: GroupRepository;

    beforeEach(async () => {
      store = await start();
      repository = store.repository;
    });

    afterEach(async () => {
      await store.stop();
    });

    it('knows nothing of a group that was never created', async () => {
      expect(await repository.read('g', ['ada'])).toBeNull();
      expect(await repository.ofUser('ada')).toEqual([]);
      expect(await repository.successor('g')).toBeNull();
      expect(await repository.unpublished('g', 10)).toEqual([]);
      expect(await repository.groupsWithUnpublished(10)).toEqual([]);
    });

    it('creates a group with its policy and first member', async () => {
      expect(await repository.commit(change('g', 0, [adds('ada', 'owner')], 'closed'))).toBe(true);
      expect(await repository.read('g', ['ada', 'bob'])).toEqual({
        groupId: 'g',
        version: 1,
        policy: 'closed',
        dissolved: false,
        memberCount: 1,
        places: new Map([['ada', { kind: 'member', role: 'owner' }]]),
      });
    });

    it('answers a group without any places when none is asked for', async () => {
      await repository.commit(change('g', 0, [adds('ada', 'owner')]));
      expect(await repository.read('g', [])).toMatchObject({ version: 1, places: new Map() });
    });

    it('keeps the policy of the creation, whatever later changes say', async () => {
      await repository.commit(change('g', 0, [adds('ada', 'owner')], 'closed'));
      await repository.commit(change('g', 1, [adds('bob')], 'open'));
      expect((await repository.read('g', []))?.policy).toBe('closed');
    });

    it('refuses a change decided on another version, and changes nothing then', async () => {
      await repository.commit(change('g', 0, [adds('ada', 'owner')]));
      await repository.commit(change('g', 1, [adds('bob')]));
      for (const from of [0, 1, 3]) {
        expect(await repository.commit(change('g', from, [adds('eve')]))).toBe(false);
      }
      expect(await repository.commit(change('new', 1, [adds('eve')]))).toBe(false);
      expect(await repository.read('new', ['eve'])).toBeNull();
      expect(await repository.read('g', ['eve'])).toMatchObject({
        version: 2,
        memberCount: 2,
        places: new Map(),
      });
      expect(await repository.unpublished('g', 10)).toHaveLength(2);
      expect(await repository.groupsWithUnpublished(10)).toEqual(['g']);
    });

    it('lets one of several changes of the same version win', async () => {
      for (let from = 0; from < 5; from++) {
        const users = Array.from({ length: 20 }, (_, index) => `user-${from}-${index}`);
        const won = await Promise.all(
          users.map((user) =>
            repository.commit(change('g', from, [adds(user, from === 0 ? 'owner' : 'member')])),
          ),
        );
        expect(won.filter(Boolean)).toHaveLength(1);
        expect((await repository.read('g', users))?.places.size).toBe(1);
      }
      expect(await repository.read('g', [])).toMatchObject({ version: 5, memberCount: 5 });
    });

    it('forgets who quit and remembers who was removed, and by whom', async () => {
      await repository.commit(change('g', 0, [adds('ada', 'owner'), adds('bob'), adds('cid'), adds('dan')]));
      await repository.commit(change('g', 4, [removes('bob', 'bob')]));
      await repository.commit(change('g', 5, [removes('cid', 'ada')]));
      await repository.commit(change('g', 6, [removes('dan', null)]));
      expect(await repository.read('g', ['ada', 'bob', 'cid', 'dan'])).toMatchObject({
        version: 7,
        memberCount: 1,
        places: new Map<string, unknown>([
          ['ada', { kind: 'member', role: 'owner' }],
          ['cid', { kind: 'removed', by: 'ada' }],
          ['dan', { kind: 'removed', by: null }],
        ]),
      });
      expect(await repository.ofUser('cid')).toEqual([]);
    });

    it('takes the mark of a removal away when the user is added again', async () => {
      await repository.commit(change('g', 0, [adds('ada', 'owner'), adds('bob')]));
      await repository.commit(change('g', 2, [removes('bob', 'ada')]));
      await repository.commit(change('g', 3, [adds('bob')]));
      expect(await repository.read('g', ['bob'])).toMatchObject({
        memberCount: 2,
        places: new Map([['bob', { kind: 'member', role: 'member' }]]),
      });
    });

    it('answers since when a user is a member, whatever role they had since', async () => {
      await repository.commit(change('g', 0, [adds('ada', 'owner'), adds('bob')]));
      await repository.commit(change('g', 2, [sets('bob', 'admin')]));
      expect(await repository.ofUser('bob')).toEqual([
        { groupId: 'g', version: 3, role: 'admin', memberSince: 2 },
      ]);
      await repository.commit(change('g', 3, [removes('bob', 'ada')]));
      await repository.commit(change('g', 4, [adds('bob')]));
      expect(await repository.ofUser('bob')).toEqual([
        { groupId: 'g', version: 5, role: 'member', memberSince: 5 },
      ]);
    });

    it('answers the groups of a user with the version each has now', async () => {
      await repository.commit(change('a', 0, [adds('ada', 'owner')]));
      await repository.commit(change('a', 1, [adds('bob')]));
      await repository.commit(change('a', 2, [adds('cid')]));
      await repository.commit(change('b', 0, [adds('bob', 'owner')]));
      await repository.commit(change('c', 0, [adds('cid', 'owner')]));
      const groups = await repository.ofUser('bob');
      expect(groups).toHaveLength(2);
      expect(groups).toEqual(
        expect.arrayContaining([
          { groupId: 'a', version: 3, role: 'member', memberSince: 2 },
          { groupId: 'b', version: 1, role: 'owner', memberSince: 1 },
        ]),
      );
    });

    it('takes the longest admin for successor, else the longest member, never the owner or somebody removed', async () => {
      await repository.commit(change('g', 0, [adds('ada', 'owner')]));
      expect(await repository.successor('g')).toBeNull();
      // In an order that is neither that of the names nor its opposite.
      await repository.commit(change('g', 1, [adds('cid'), adds('bob'), adds('eve'), adds('dan')]));
      expect(await repository.successor('g')).toBe('cid');
      await repository.commit(change('g', 5, [sets('eve', 'admin')]));
      await repository.commit(change('g', 6, [sets('cid', 'admin')]));
      expect(await repository.successor('g')).toBe('eve');
      await repository.commit(change('g', 7, [removes('eve', 'ada')]));
      expect(await repository.successor('g')).toBe('cid');
      await repository.commit(change('g', 8, [removes('cid', 'cid')]));
      expect(await repository.successor('g')).toBe('bob');
    });

    it('hands ownership over within one change', async () => {
      await repository.commit(change('g', 0, [adds('ada', 'owner'), adds('bob')]));
      await repository.commit(change('g', 2, [removes('ada', 'ada'), sets('bob', 'owner')]));
      expect(await repository.read('g', ['ada', 'bob'])).toMatchObject({
        version: 4,
        memberCount: 1,
        places: new Map([['bob', { kind: 'member', role: 'owner' }]]),
      });
    });

    it('keeps a dissolved group, without anybody in it', async () => {
      await repository.commit(change('g', 0, [adds('ada', 'owner'), adds('bob'), adds('cid')]));
      await repository.commit(change('g', 3, [removes('cid', 'ada')]));
      await repository.commit(change('g', 4, [dissolves('ada')]));
      expect(await repository.read('g', ['ada', 'bob', 'cid'])).toEqual({
        groupId: 'g',
        version: 5,
        policy: 'open',
        dissolved: true,
        memberCount: 0,
        places: new Map(),
      });
      expect(await repository.ofUser('ada')).toEqual([]);
    });

    it('holds the events in the outbox in the order of versions until they are forgotten', async () => {
      const first = change('g', 0, [adds('ada', 'owner')]);
      const second = change('g', 1, [adds('bob'), sets('bob', 'admin')]);
      const third = change('g', 3, [removes('bob', 'ada')]);
      for (const each of [first, second, third]) await repository.commit(each);
      await repository.commit(change('h', 0, [adds('ada', 'owner')]));
      const events = [first, second, third].flatMap((each) => each.events);
      expect(await repository.unpublished('g', 10)).toEqual(events);
      expect(await repository.unpublished('g', 2)).toEqual(events.slice(0, 2));
      await repository.forgetPublished('g', 2);
      expect(await repository.unpublished('g', 10)).toEqual(events.slice(2));
      expect(new Set(await repository.groupsWithUnpublished(10))).toEqual(new Set(['g', 'h']));
      expect(await repository.groupsWithUnpublished(1)).toHaveLength(1);
      await repository.forgetPublished('g', 4);
      expect(await repository.unpublished('g', 10)).toEqual([]);
      expect(await repository.groupsWithUnpublished(10)).toEqual(['h']);
    });

    it('orders versions as numbers', async () => {
      for (let from = 0; from < 12; from++) {
        await repository.commit(change('g', from, [adds(`u${from}`, from === 0 ? 'owner' : 'member')]));
      }
      const versions = (await repository.unpublished('g', 100)).map((event) => event.version);
      expect(versions).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
      await repository.forgetPublished('g', 9);
      expect((await repository.unpublished('g', 100)).map((event) => event.version)).toEqual([10, 11, 12]);
      expect(await repository.successor('g')).toBe('u1');
    });

    it('keeps ids apart and whole, whatever characters they hold', async () => {
      for (const groupId of ODD_IDS) {
        const others = ODD_IDS.filter((id) => id !== groupId).map((id) => adds(id));
        expect(await repository.commit(change(groupId, 0, [adds(groupId, 'owner'), ...others]))).toBe(true);
      }
      for (const id of ODD_IDS) {
        const groups = await repository.ofUser(id);
        expect(new Set(groups.map((group) => group.groupId))).toEqual(new Set(ODD_IDS));
        expect(groups.filter((group) => group.role === 'owner').map((group) => group.groupId)).toEqual([id]);
        expect((await repository.read(id, ODD_IDS))?.places.size).toBe(ODD_IDS.length);
        expect((await repository.unpublished(id, 1)).map((event) => event.userId)).toEqual([id]);
      }
      expect(new Set(await repository.groupsWithUnpublished(100))).toEqual(new Set(ODD_IDS));
    });

    it('answers what held at the version it says, while changes go on', async () => {
      await repository.commit(change('g', 0, [adds('ada', 'owner')]));
      let changing = true;
      const changes = (async () => {
        for (let from = 1; from < 41; from++) {
          await repository.commit(change('g', from, [from % 2 === 1 ? adds('bob') : removes('bob', 'bob')]));
        }
      })().finally(() => (changing = false));
      const versions = new Set<number>();
      while (changing) {
        const [group, [own]] = await Promise.all([repository.read('g', ['bob']), repository.ofUser('bob')]);
        // Bob is in the group at even versions only.
        expect(group?.memberCount).toBe(group!.version % 2 === 0 ? 2 : 1);
        expect(group?.places.has('bob')).toBe(group!.version % 2 === 0);
        if (own) expect(own.version % 2).toBe(0);
        versions.add(group!.version);
      }
      await changes;
      expect(versions.size).toBeGreaterThan(1);
    });

    it('has everything again after it was opened anew', async () => {
      await repository.commit(change('g', 0, [adds('ada', 'owner'), adds('bob'), adds('cid')]));
      await repository.commit(change('g', 3, [removes('cid', 'ada')]));
      const users = ['ada', 'bob', 'cid'];
      const before = await repository.read('g', users);
      const unpublished = await repository.unpublished('g', 10);
      const reopened = await store.reopen();
      expect(await reopened.read('g', users)).toEqual(before);
      expect(await reopened.unpublished('g', 10)).toEqual(unpublished);
      expect(await reopened.ofUser('bob')).toEqual([
        { groupId: 'g', version: 4, role: 'member', memberSince: 2 },
      ]);
    });
  });
}

type Step = Omit<MembershipEvent, 'groupId' | 'version'>;

function change(
  groupId: string,
  from: number,
  steps: Step[],
  policy: GroupChange['policy'] = 'open',
): GroupChange {
  return {
    groupId,
    from,
    policy,
    events: steps.map((step, index) => ({ groupId, version: from + 1 + index, ...step })),
  };
}

function adds(userId: string, role: 'owner' | 'member' = 'member'): Step {
  return { change: 'added', userId, role, by: userId };
}

function removes(userId: string, by: string | null): Step {
  return { change: 'removed', userId, role: null, by };
}

function sets(userId: string, role: 'owner' | 'admin' | 'member'): Step {
  return { change: 'role', userId, role, by: null };
}

function dissolves(by: string | null): Step {
  return { change: 'dissolved', userId: null, role: null, by };
}
