import { GroupsRequest, type MembershipEvent, type MembershipOfUser } from '@starling/bus';
import { groupConversation } from '@starling/protocol';
import { groupRoom, userRoom } from '@starling/rooms';
import { FeedPod } from '../../test/feed-pod.js';
import { RecordedConnection, RecordedForm } from '../../test/recorded-connection.js';
import { SimulatedStore } from '../../test/simulated-store.js';
import { GatewayMembership } from './gateway-membership.js';

const CREW = groupConversation('crew');
const form = new RecordedForm('f', 'object');

let store: SimulatedStore;
let pod: FeedPod;
let membership: GatewayMembership;
let memberships: Record<string, MembershipOfUser[]>;
let onEvent: (event: MembershipEvent) => void;
let onGap: () => void;

beforeEach(async () => {
  jest.useFakeTimers();
  store = new SimulatedStore(2);
  memberships = {};
  store.memberships = (userId) => memberships[userId] ?? [];
  pod = new FeedPod(store);
  await begin();
});
afterEach(() => jest.useRealTimers());

/** A gateway on `pod`. */
async function begin(): Promise<void> {
  const follower = {
    follow: async (event: typeof onEvent, gap: typeof onGap) => {
      [onEvent, onGap] = [event, gap];
      return { stop: async () => undefined };
    },
  };
  const { rooms, config, logger, versions, feed, positions } = pod;
  membership = new GatewayMembership(follower, store, rooms, config, logger, versions, feed, positions);
  pod.rooms.onEvent((_room, event) => {
    if (event.kind === 'message') feed.receive(event);
  });
  await membership.onModuleInit();
}

async function login(id: string, userId: string): Promise<RecordedConnection> {
  const connection = new RecordedConnection(id, userId, form, true);
  await membership.bind(connection);
  pod.feed.attach(connection, await pod.positions.read());
  return connection;
}

function member(userId: string, version: number, memberSince = 1): void {
  memberships[userId] = [{ groupId: 'crew', version, role: 'member', memberSince }];
}

function changed(userId: string, version: number, change: 'added' | 'removed'): MembershipEvent {
  const role = change === 'added' ? 'member' : null;
  return { groupId: 'crew', version, change, userId, role, by: 'boss' };
}

function say(version: number): void {
  const message = store.commit(CREW, 'boss', `m${version}.${store.asked.length}`, version);
  pod.rooms.emit(groupRoom('crew'), { kind: 'message', ...message });
}

const settle = (): Promise<void> => jest.advanceTimersByTimeAsync(10_000);
const loads = (): unknown[] => store.askedFor(GroupsRequest.ofUser);

describe('binding', () => {
  it('loads a user’s groups once for all connections that come together', async () => {
    member('ada', 1);
    store.delay = () => 10;
    const logins = ['a', 'b', 'c'].map((id) => login(id, 'ada'));
    await settle();
    await Promise.all(logins);
    expect(loads()).toEqual([{ userId: 'ada' }]);
    for (const id of ['a', 'b', 'c']) {
      expect(pod.rooms.roomsOf(id)).toEqual([userRoom('ada'), groupRoom('crew')]);
    }
  });

  it('leaves nothing of a connection whose groups could not be loaded', async () => {
    store.fails = () => true;
    await expect(membership.bind(new RecordedConnection('a', 'ada', form))).rejects.toMatchObject({
      error: 'UNAVAILABLE',
    });
    expect(pod.rooms.roomsOf('a')).toEqual([]);
    expect(pod.feed.hasListeners).toBe(false);
    store.fails = () => false;
    await login('b', 'ada');
    expect(pod.rooms.roomsOf('b')).toEqual([userRoom('ada')]);
  });

  it('that ended while its groups were being loaded joins nothing', async () => {
    member('ada', 1);
    store.delay = () => 10;
    const connection = new RecordedConnection('a', 'ada', form);
    const binding = membership.bind(connection);
    membership.unbind(connection);
    await settle();
    await binding;
    expect(pod.rooms.roomsOf('a')).toEqual([]);
    expect(membership.isMember('ada', 'crew')).toBe(false);
  });
});

describe('a change', () => {
  it('reaches every connection of its user: room, messages from then on, and the push to who knows it', async () => {
    const [first, second] = [await login('a', 'ada'), await login('b', 'ada')];
    second.session = { ...second.session!, pushes: false };
    say(1);
    onEvent(changed('ada', 2, 'added'));
    await settle();
    say(2);
    onEvent(changed('ada', 3, 'removed'));
    expect(pod.rooms.roomsOf('a')).toEqual([userRoom('ada')]);
    say(3);
    await settle();
    expect(first.seqsOf(CREW)).toEqual([2]);
    expect(second.seqsOf(CREW)).toEqual([2]);
    const head = { version: 1, command: -12, chatType: 1, chatId: 'crew', by: 'boss' };
    expect(first.packets).toEqual([
      { ...head, change: 'added', role: 'member', groupVersion: 2 },
      { ...head, change: 'removed', role: null, groupVersion: 3 },
    ]);
    expect(second.packets).toEqual([]);
  });

  it('that came back before the removal was read shows nothing of what was said between', async () => {
    member('ada', 2);
    const connection = await login('a', 'ada');
    say(3);
    member('ada', 4, 4);
    await membership.applied('ada', { groupId: 'crew', version: 4, role: 'member', changed: true });
    say(4);
    for (const [version, change] of [
      [3, 'removed'],
      [4, 'added'],
    ] as const) {
      onEvent(changed('ada', version, change));
    }
    await settle();
    expect(connection.seqsOf(CREW)).toEqual([2]);
  });

  it('shows nothing of what was decided before it, though that was stored after the login', async () => {
    member('ada', 4, 4);
    const connection = await login('a', 'ada');
    say(3);
    say(4);
    await settle();
    expect(connection.seqsOf(CREW)).toEqual([2]);
  });

  it('of somebody else here is found though a hole swallowed it and the only known member came back', async () => {
    member('ada', 4);
    await login('a', 'ada');
    const other = await login('b', 'ben');
    member('ada', 7, 7);
    member('ben', 7, 6);
    onEvent(changed('ada', 7, 'added'));
    await settle();
    expect(pod.rooms.roomsOf('b')).toContain(groupRoom('crew'));
    say(7);
    await settle();
    expect(other.seqsOf(CREW)).toEqual([1]);
  });

  it('since nobody knows when begins where it is heard of', async () => {
    const connection = await login('a', 'ada');
    say(1);
    member('ada', 2, 0);
    await membership.applied('ada', { groupId: 'crew', version: 2, role: 'member', changed: true });
    say(2);
    await settle();
    expect(connection.seqsOf(CREW)).toEqual([2]);
  });

  it('after a gap of the stream is no hole again, so that nobody is loaded twice', async () => {
    member('ada', 4);
    await login('a', 'ada');
    member('ada', 8);
    onGap();
    await settle();
    const before = loads().length;
    onEvent({ ...changed('ben', 9, 'added') });
    await settle();
    expect(loads()).toHaveLength(before);
    expect(pod.versions.hasReached('crew', 9)).toBe(true);
  });

  it('that is heard of late brings what was said since, and nothing of before', async () => {
    const connection = await login('a', 'ada');
    for (let i = 0; i < 30; i++) say(1);
    for (let i = 0; i < 50; i++) say(2);
    onEvent(changed('ada', 2, 'added'));
    await settle();
    say(2);
    expect(connection.seqsOf(CREW)).toEqual(Array.from({ length: 51 }, (_, i) => 31 + i));
  });

  it('that is heard of very late brings the newest of what was said', async () => {
    pod = new FeedPod(store, { REPLAY_MAX_MESSAGES: '25' });
    await begin();
    const connection = await login('a', 'ada');
    for (let i = 0; i < 90; i++) say(2);
    onEvent(changed('ada', 2, 'added'));
    await settle();
    expect(connection.seqsOf(CREW)).toEqual(Array.from({ length: 25 }, (_, i) => 66 + i));
  });

  it('that was asked for by a connection brings it what is said after the answer, and others all of it', async () => {
    const [first, second] = [await login('a', 'ada'), await login('b', 'ada')];
    const joined = membership.join(first, 'crew', async () => {
      member('ada', 2, 2);
      say(2);
      return { groupId: 'crew', version: 2, role: 'member', changed: true };
    });
    await settle();
    await joined;
    say(2);
    expect(first.seqsOf(CREW)).toEqual([2]);
    expect(second.seqsOf(CREW)).toEqual([1, 2]);
  });

  it('is followed by all that is said from then on, also by who had not heard of later changes', async () => {
    const connection = await login('a', 'ada');
    member('ada', 9, 5);
    await membership.applied('ada', { groupId: 'crew', version: 5, role: 'member', changed: true });
    say(7);
    await settle();
    expect(connection.seqsOf(CREW)).toEqual([1]);
  });

  it('of the role shows nothing of what was said while a member was gone, though that was missed', async () => {
    member('ada', 2);
    const connection = await login('a', 'ada');
    say(3);
    member('ada', 5, 4);
    onEvent({ groupId: 'crew', version: 5, change: 'role', userId: 'ada', role: 'member', by: 'boss' });
    await settle();
    say(5);
    await settle();
    expect(connection.seqsOf(CREW)).toEqual([2]);
  });

  it('that was answered before it was read is in force when `applied` resolves, and pushed once', async () => {
    const connection = await login('a', 'ada');
    member('ada', 2);
    await membership.applied('ada', { groupId: 'crew', version: 2, role: 'member', changed: true });
    expect(membership.isMember('ada', 'crew')).toBe(true);
    expect(membership.versionOf('ada', 'crew')).toBe(2);
    say(2);
    expect(connection.seqsOf(CREW)).toEqual([1]);
    onEvent({ ...changed('ada', 2, 'added'), by: 'ada' });
    await membership.applied('ada', { groupId: 'crew', version: 3, role: null, changed: true });
    expect(membership.isMember('ada', 'crew')).toBe(false);
    expect(pod.rooms.roomsOf('a')).toEqual([userRoom('ada')]);
    expect(connection.packets.map(({ change, by }) => [change, by])).toEqual([
      ['added', 'ada'],
      ['removed', 'ada'],
    ]);
  });

  it('that is older than what is known is ignored', async () => {
    member('ada', 5);
    await login('a', 'ada');
    onEvent(changed('ada', 4, 'removed'));
    expect(membership.isMember('ada', 'crew')).toBe(true);
  });
});

describe('changes that were missed', () => {
  it.each([
    ['a hole in the versions', () => onEvent(changed('cem', 4, 'added'))],
    ['a lost consumer', () => onGap()],
  ])(
    'by %s: nothing of the group goes out or is accepted until its members are loaded again',
    async (_by, miss) => {
      member('ada', 2);
      member('ben', 2);
      const [ada, ben] = [await login('a', 'ada'), await login('b', 'ben')];
      // Ben was removed with version 3, and this pod was not told.
      delete memberships.ben;
      member('ada', 4);
      store.delay = () => 50;
      miss();
      expect(() => membership.isMember('ada', 'crew')).toThrow('does not answer');
      say(2);
      await jest.advanceTimersByTimeAsync(60);
      expect(ada.seqsOf(CREW)).toEqual([]);
      await settle();
      say(4);
      await settle();
      expect(ada.seqsOf(CREW)).toEqual([1, 2]);
      expect(ben.seqsOf(CREW)).toEqual([]);
      expect(membership.isMember('ada', 'crew')).toBe(true);
      expect(membership.isMember('ben', 'crew')).toBe(false);
      expect(pod.rooms.roomsOf('b')).toEqual([userRoom('ben')]);
    },
  );

  it('are asked for until the groups service answers', async () => {
    member('ada', 2);
    const ada = await login('a', 'ada');
    store.fails = () => true;
    onGap();
    say(2);
    await settle();
    expect(ada.seqsOf(CREW)).toEqual([]);
    store.fails = () => false;
    await settle();
    expect(ada.seqsOf(CREW)).toEqual([1]);
  });

  it('show by a message of a version that does not come', async () => {
    member('ada', 2);
    const ada = await login('a', 'ada');
    member('ada', 3);
    say(3);
    expect(ada.seqsOf(CREW)).toEqual([]);
    await settle();
    expect(ada.seqsOf(CREW)).toEqual([1]);
  });
});

describe('a stream and snapshots that are apart', () => {
  it('a gap during the first load makes its snapshot worthless', async () => {
    member('ada', 2);
    // Read by the service, then under way for long.
    const delays = [10, 100, 100, 100];
    store.delay = () => delays.shift() ?? 0;
    const believed: string[][] = [];
    const binding = login('a', 'ada').then(() => believed.push(membership.groupsOf('ada')));
    await jest.advanceTimersByTimeAsync(50);
    delete memberships.ada;
    onGap();
    await settle();
    await binding;
    expect(believed).toEqual([[]]);
  });

  it('who is added while known as a member is shown nothing of the time between', async () => {
    member('ada', 2);
    const ada = await login('a', 'ada');
    member('ada', 5);
    say(4);
    onEvent(changed('ada', 5, 'added'));
    await settle();
    say(5);
    await settle();
    expect(ada.seqsOf(CREW)).toEqual([2]);
  });

  it('an addition that is read late is followed no further than it was read, whoever is ahead', async () => {
    const ada = await login('a', 'ada');
    member('ben', 4);
    const ben = await login('b', 'ben');
    // Ada was added with version 2 and removed with version 3; the stream is there only now.
    onEvent(changed('ada', 2, 'added'));
    await jest.advanceTimersByTimeAsync(1);
    say(4);
    onEvent(changed('ada', 3, 'removed'));
    onEvent(changed('ben', 4, 'added'));
    await settle();
    expect(ada.seqsOf(CREW)).toEqual([]);
    expect(ben.seqsOf(CREW)).toEqual([1]);
    expect(loads()).toHaveLength(2);
  });

  it('a hole in the stream is seen also where a snapshot is ahead of it', async () => {
    member('ada', 6);
    await login('a', 'ada');
    onEvent(changed('cem', 3, 'added'));
    expect(membership.isMember('ada', 'crew')).toBe(true);
    onEvent(changed('cem', 5, 'added'));
    expect(() => membership.isMember('ada', 'crew')).toThrow('does not answer');
    await settle();
    expect(membership.isMember('ada', 'crew')).toBe(true);
  });

  it('a snapshot of all members here is enough, when the stream has passed already', async () => {
    member('ada', 2);
    const ada = await login('a', 'ada');
    member('ada', 4);
    await membership.applied('ada', { groupId: 'crew', version: 4, role: 'member', changed: false });
    say(4);
    expect(ada.seqsOf(CREW)).toEqual([1]);
  });
});
