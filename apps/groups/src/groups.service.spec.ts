import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { InProcessMembershipStream, type GroupRole, type MembershipEvent } from '@starling/bus';
import { SqliteDatabase } from '@starling/storage';
import fc from 'fast-check';
import { pino } from 'pino';
import { GroupsService } from './groups.service.js';
import { OutboxPublisher } from './outbox/outbox-publisher.js';
import { SqliteGroupRepository } from './repository/sqlite-group-repository.js';

const logger = pino({ level: 'silent' });
let folder: string;
let database: SqliteDatabase;
let repository: SqliteGroupRepository;
let events: MembershipEvent[];
let stream: InProcessMembershipStream;
let outboxes: OutboxPublisher[];
let service: GroupsService;

/** As another process of the groups service on the same store would be: it shares nothing else. */
async function startService(): Promise<GroupsService> {
  const outbox = new OutboxPublisher(repository, stream, logger);
  await outbox.onModuleInit();
  outboxes.push(outbox);
  return new GroupsService(repository, outbox);
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'starling-groups-'));
  database = await SqliteDatabase.open(folder);
  repository = await SqliteGroupRepository.open(database);
  events = [];
  outboxes = [];
  stream = new InProcessMembershipStream(logger);
  await stream.follow(
    (event) => events.push(event),
    () => {},
  );
  service = await startService();
});

afterEach(async () => {
  for (const outbox of outboxes) await outbox.onApplicationShutdown();
  await database.close();
  rmSync(folder, { recursive: true });
});

const versions = (groupId = 'g'): number[] =>
  events.filter((event) => event.groupId === groupId).map((event) => event.version);
const upTo = (n: number): number[] => Array.from({ length: n }, (_, index) => index + 1);

/** Who is in the group, as somebody knows who has followed the events alone. */
function followed(groupId: string): Map<string, GroupRole> {
  const members = new Map<string, GroupRole>();
  for (const event of events.filter((each) => each.groupId === groupId)) {
    if (event.change === 'dissolved') members.clear();
    else if (event.role === null) members.delete(event.userId!);
    else members.set(event.userId!, event.role);
  }
  return members;
}

describe('GroupsService', () => {
  it('has published a change when it is answered', async () => {
    const change = await service.join('g', 'ada', true);
    expect(change).toEqual({ groupId: 'g', version: 1, role: 'owner', changed: true });
    expect(events).toEqual([
      { groupId: 'g', version: 1, change: 'added', userId: 'ada', role: 'owner', by: 'ada' },
    ]);
  });

  it('answers a member who joins again with their role, and changes and publishes nothing', async () => {
    await service.join('g', 'ada', true);
    expect(await service.join('g', 'ada', true)).toEqual({
      groupId: 'g',
      version: 1,
      role: 'owner',
      changed: false,
    });
    expect(versions()).toEqual([1]);
  });

  it('answers a stranger who quits without changing anything', async () => {
    expect(await service.quit('g', 'bob')).toEqual({ groupId: 'g', version: 0, role: null, changed: false });
    await service.join('g', 'ada', true);
    expect(await service.quit('g', 'bob')).toEqual({ groupId: 'g', version: 1, role: null, changed: false });
    expect(versions()).toEqual([1]);
  });

  it('lets who quit join again, and who was removed only after being added', async () => {
    await service.join('g', 'ada', true);
    await service.join('g', 'bob', true);
    await service.quit('g', 'bob');
    expect(await service.join('g', 'bob', true)).toMatchObject({ version: 4, role: 'member' });
    expect(await service.remove('g', 'bob', 'ada')).toEqual({
      groupId: 'g',
      version: 5,
      role: null,
      changed: true,
    });
    await expect(service.join('g', 'bob', true)).rejects.toMatchObject({ error: 'REMOVED_FROM_GROUP' });
    await service.quit('g', 'bob');
    await expect(service.join('g', 'bob', true)).rejects.toMatchObject({ error: 'REMOVED_FROM_GROUP' });
    await service.add('g', 'bob', 'ada');
    await service.quit('g', 'bob');
    expect(await service.join('g', 'bob', true)).toMatchObject({ role: 'member', changed: true });
    expect(versions()).toEqual(upTo(8));
  });

  it('hands ownership over to the longest admin, in one commit of two versions', async () => {
    for (const user of ['ada', 'bob', 'cid', 'dan']) await service.join('g', user, true);
    await service.setRole('g', 'dan', 'admin', 'ada');
    await service.setRole('g', 'cid', 'admin', 'ada');
    expect(await service.quit('g', 'ada')).toEqual({ groupId: 'g', version: 8, role: null, changed: true });
    expect(events.slice(-2)).toEqual([
      { groupId: 'g', version: 7, change: 'removed', userId: 'ada', role: null, by: 'ada' },
      { groupId: 'g', version: 8, change: 'role', userId: 'dan', role: 'owner', by: 'ada' },
    ]);
    expect(await service.membersAmong('g', ['ada', 'dan'])).toEqual({
      groupId: 'g',
      version: 8,
      members: ['dan'],
    });
  });

  it('gives a group that everybody left to the first who comes', async () => {
    await service.join('g', 'ada', true);
    expect(await service.quit('g', 'ada')).toMatchObject({ version: 2 });
    expect(await service.join('g', 'bob', false)).toMatchObject({ version: 3, role: 'owner' });
  });

  it('keeps a closed group closed, also when everybody has left', async () => {
    await service.create('g', 'ada', 'closed');
    await expect(service.join('g', 'bob', true)).rejects.toMatchObject({ error: 'GROUP_NOT_OPEN' });
    await service.quit('g', 'ada');
    await expect(service.join('g', 'bob', true)).rejects.toMatchObject({ error: 'GROUP_NOT_OPEN' });
    expect(await service.add('g', 'bob', null)).toMatchObject({ role: 'owner' });
  });

  it('ends a dissolved group for all and for ever', async () => {
    await service.create('g', 'ada', 'open');
    await service.add('g', 'bob', 'ada');
    expect(await service.dissolve('g', 'ada')).toEqual({ groupId: 'g', version: 3 });
    expect(await service.ofUser('bob')).toEqual([]);
    expect(await service.membersAmong('g', ['ada'])).toEqual({ groupId: 'g', version: 3, members: [] });
    expect(await service.membersAmong('none', ['ada'])).toEqual({ groupId: 'none', version: 0, members: [] });
    await expect(service.join('g', 'ada', true)).rejects.toMatchObject({ error: 'GROUP_NOT_FOUND' });
    await expect(service.create('g', 'ada', 'open')).rejects.toMatchObject({ error: 'GROUP_EXISTS' });
    expect(events.at(-1)).toEqual({
      groupId: 'g',
      version: 3,
      change: 'dissolved',
      userId: null,
      role: null,
      by: 'ada',
    });
  });

  it('takes ids with any characters', async () => {
    for (const id of ['__proto__', 'constructor', "o'hara", '{"$gt":""}', '群组😀', 'a\u0000b']) {
      expect(await service.join(id, id, true)).toMatchObject({ groupId: id, role: 'owner' });
      expect(await service.ofUser(id)).toEqual([{ groupId: id, version: 1, role: 'owner', memberSince: 1 }]);
    }
  });

  it('answers 50 who join the same new group at once, with one owner, and versions and events in order', async () => {
    const users = Array.from({ length: 50 }, (_, index) => `user-${index}`);
    const changes = await Promise.all(users.map((user) => service.join('g', user, true)));
    expect(changes.filter((change) => change.role === 'owner')).toHaveLength(1);
    expect(changes.every((change) => change.changed)).toBe(true);
    expect(changes.map((change) => change.version).sort((a, b) => a - b)).toEqual(upTo(50));
    expect(versions()).toEqual(upTo(50));
    expect(await repository.read('g', users)).toMatchObject({ version: 50, memberCount: 50 });
  });

  it('commits together what waits together', async () => {
    const read = jest.spyOn(repository, 'read');
    const whole = repository.commit.bind(repository);
    const commit = jest.spyOn(repository, 'commit').mockImplementationOnce(async (change) => {
      await Promise.all(read.mock.results.map(({ value }) => value as Promise<unknown>));
      // The last one still has to get in line.
      await turn();
      return whole(change);
    });
    await Promise.all(upTo(50).map((n) => service.join('g', `user-${n}`, true)));
    expect(commit.mock.calls.map(([{ events: own }]) => own.length)).toEqual([1, 49]);
    await service.join('g', 'late', true);
    expect(commit).toHaveBeenCalledTimes(3);
  });

  it('refuses one of those that wait together and leaves the others alone', async () => {
    const commit = jest.spyOn(repository, 'commit');
    const outcomes = await Promise.allSettled([
      service.join('g', 'ada', true),
      service.create('g', 'bob', 'closed'),
      service.join('g', 'cem', true),
    ]);
    expect(outcomes).toMatchObject([
      { value: { version: 1, role: 'owner' } },
      { reason: { error: 'GROUP_EXISTS' } },
      { value: { version: 2, role: 'member' } },
    ]);
    expect(commit).toHaveBeenCalledTimes(2);
    expect(versions()).toEqual([1, 2]);
  });

  it('decides what waits together one after the other, from the creation of the group on', async () => {
    const read = repository.read.bind(repository);
    const inLine = Promise.withResolvers<void>();
    const commit = jest.spyOn(repository, 'commit').mockImplementationOnce(async () => {
      await inLine.promise;
      throw new Error('away');
    });
    let reads = 0;
    repository.read = async (groupId, users) => {
      const group = await read(groupId, users);
      if (++reads === 3) setImmediate(inLine.resolve);
      return group;
    };
    const outcomes = await Promise.allSettled([
      service.create('g', 'ada', 'open'),
      service.create('g', 'bob', 'closed'),
      service.join('g', 'cem', true),
    ]);
    expect(outcomes).toMatchObject([
      { reason: { message: 'away' } },
      { value: { version: 1, role: 'owner' } },
      { reason: { error: 'GROUP_NOT_OPEN' } },
    ]);
    expect(commit).toHaveBeenCalledTimes(2);
    expect(await repository.read('g', [])).toMatchObject({ policy: 'closed', version: 1, memberCount: 1 });
  });

  it('does so as well when several processes of the service compete for the group', async () => {
    const services = [service, await startService(), await startService(), await startService()];
    const users = Array.from({ length: 48 }, (_, index) => `user-${index}`);
    const changes = await Promise.all(
      users.map((user, index) => services[index % services.length]!.join('g', user, true)),
    );
    expect(changes.filter((change) => change.role === 'owner')).toHaveLength(1);
    expect(changes.map((change) => change.version).sort((a, b) => a - b)).toEqual(upTo(48));
    expect(versions()).toEqual(upTo(48));
  });

  it('changes once for a user who joins ten times at once', async () => {
    const changes = await Promise.all(upTo(10).map(() => service.join('g', 'ada', true)));
    expect(changes.filter((change) => change.changed)).toHaveLength(1);
    expect(changes.every((change) => change.version === 1 && change.role === 'owner')).toBe(true);
    expect(versions()).toEqual([1]);
  });

  it('lets nobody act by a role that is taken from them at the same time', async () => {
    await service.create('g', 'ada', 'open');
    for (const user of ['bob', 'cid']) await service.add('g', user, 'ada');
    await service.setRole('g', 'bob', 'admin', 'ada');
    const other = await startService();
    const outcomes = await Promise.allSettled([
      service.setRole('g', 'bob', 'member', 'ada'),
      other.remove('g', 'cid', 'bob'),
    ]);
    expect(outcomes[0].status).toBe('fulfilled');
    const removal = events.findIndex((event) => event.change === 'removed');
    const demotion = events.findIndex((event) => event.change === 'role' && event.role === 'member');
    if (outcomes[1].status === 'fulfilled') expect(removal).toBeLessThan(demotion);
    else expect(outcomes[1].reason).toMatchObject({ error: 'NOT_ALLOWED_IN_GROUP' });
  });

  it('keeps what followers know, what the store knows and one owner together, whatever happens at once', async () => {
    const users = ['ada', 'bob', 'cid', 'dan'];
    const user = fc.constantFrom(...users);
    const by = fc.option(user, { nil: null });
    const command = fc.oneof(
      fc.tuple(fc.constant('join' as const), user),
      fc.tuple(fc.constant('quit' as const), user),
      fc.tuple(fc.constant('add' as const), user, by),
      fc.tuple(fc.constant('remove' as const), user, by),
      fc.tuple(
        fc.constant('setRole' as const),
        user,
        by,
        fc.constantFrom('admin' as const, 'member' as const),
      ),
    );
    const other = await startService();
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(command, { maxLength: 4 }), { maxLength: 8 }), async (rounds) => {
        const groupId = `group-${run++}`;
        let changed = 0;
        for (const round of rounds) {
          const outcomes = await Promise.allSettled(
            round.map((each, index) => perform(index % 2 === 0 ? service : other, groupId, each)),
          );
          for (const outcome of outcomes) {
            if (outcome.status === 'rejected') expect(outcome.reason).toHaveProperty('error');
            else if (outcome.value.changed) changed++;
          }
        }
        const group = await repository.read(groupId, users);
        const members = new Map(
          [...(group?.places ?? [])].flatMap(([id, place]) =>
            place.kind === 'member' ? [[id, place.role]] : [],
          ),
        );
        expect(versions(groupId)).toEqual(upTo(group?.version ?? 0));
        expect(group?.version ?? 0).toBeGreaterThanOrEqual(changed);
        expect(members).toEqual(followed(groupId));
        expect(group?.memberCount ?? 0).toBe(members.size);
        const owners = [...members.values()].filter((role) => role === 'owner').length;
        expect(owners).toBe(members.size === 0 ? 0 : 1);
      }),
      { numRuns: 60 },
    );
  }, 120_000);
});

type Command =
  | ['join' | 'quit', string]
  | ['add' | 'remove', string, string | null]
  | ['setRole', string, string | null, 'admin' | 'member'];

function perform(groups: GroupsService, groupId: string, command: Command) {
  switch (command[0]) {
    case 'join':
      return groups.join(groupId, command[1], true);
    case 'quit':
      return groups.quit(groupId, command[1]);
    case 'add':
      return groups.add(groupId, command[1], command[2]);
    case 'remove':
      return groups.remove(groupId, command[1], command[2]);
    case 'setRole':
      return groups.setRole(groupId, command[1], command[3], command[2]);
  }
}
