import type {
  GroupRole,
  MembershipEvent,
  MembershipFollower,
  MembershipOfUser,
  Positions,
  StoredMessage,
} from '@starling/bus';
import { groupConversation, parseConversation } from '@starling/protocol';
import { groupRoom, userRoom } from '@starling/rooms';
import fc from 'fast-check';
import { FeedPod } from '../../test/feed-pod.js';
import { RecordedConnection, RecordedForm } from '../../test/recorded-connection.js';
import { SimulatedStore } from '../../test/simulated-store.js';
import { GatewayMembership } from './gateway-membership.js';

const USERS = ['ada', 'ben', 'cem'];
const GROUPS = ['crew', 'band'];

const user = fc.constantFrom(...USERS);
const group = fc.constantFrom(...GROUPS);

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('login' as const), user }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('logout' as const), at: fc.nat(9) }) },
  // By somebody else: this pod learns of it by the stream alone.
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('change' as const), user, group }),
  },
  // By the user's own command, whose answer comes before, with or after the event.
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('command' as const), user, group, answerAfter: fc.nat(60) }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('message' as const), group, delay: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('gap' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('dissolve' as const), group }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(60) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** The groups service: who is a member as of which version. */
class Groups {
  readonly versions = new Map(GROUPS.map((group) => [group, 1]));
  readonly members = new Map(GROUPS.map((group) => [group, new Set<string>()]));
  private readonly since = new Map<string, number>();
  private readonly history = new Map<string, ReadonlySet<string>>();

  constructor() {
    for (const group of GROUPS) this.remember(group);
  }

  toggle(user: string, groupId: string): MembershipEvent {
    const members = this.members.get(groupId)!;
    const isAdded = !members.delete(user);
    if (isAdded) members.add(user);
    const change = isAdded ? 'added' : 'removed';
    const version = this.raise(groupId);
    if (isAdded) this.since.set(`${groupId} ${user}`, version);
    return {
      groupId,
      version,
      change,
      userId: user,
      role: roleIf(isAdded),
      by: 'admin',
    };
  }

  dissolve(groupId: string): MembershipEvent {
    this.members.get(groupId)!.clear();
    return {
      groupId,
      version: this.raise(groupId),
      change: 'dissolved',
      userId: null,
      role: null,
      by: 'admin',
    };
  }

  of(userId: string): MembershipOfUser[] {
    return GROUPS.filter((group) => this.members.get(group)!.has(userId)).map((groupId) => ({
      groupId,
      version: this.versions.get(groupId)!,
      role: 'member',
      memberSince: this.since.get(`${groupId} ${userId}`)!,
    }));
  }

  wasMember(groupId: string, version: number, userId: string): boolean {
    return this.history.get(`${groupId} ${version}`)!.has(userId);
  }

  private raise(groupId: string): number {
    this.versions.set(groupId, this.versions.get(groupId)! + 1);
    this.remember(groupId);
    return this.versions.get(groupId)!;
  }

  private remember(groupId: string): void {
    this.history.set(`${groupId} ${this.versions.get(groupId)!}`, new Set(this.members.get(groupId)));
  }
}

function roleIf(isMember: boolean): GroupRole | null {
  return isMember ? 'member' : null;
}

/** The stream as this pod reads it: in order, late, and sometimes with a hole. */
class Stream implements MembershipFollower {
  private onEvent: (event: MembershipEvent) => void = () => undefined;
  private onGap: () => void = () => undefined;
  private readonly queue: (MembershipEvent | 'gap')[] = [];
  private reading = false;

  constructor(private readonly delay: () => number) {}

  async follow(onEvent: (event: MembershipEvent) => void, onGap: () => void) {
    this.onEvent = onEvent;
    this.onGap = onGap;
    return { stop: async () => undefined };
  }

  publish(event: MembershipEvent | 'gap'): void {
    this.queue.push(event);
    if (!this.reading) this.read();
  }

  /** What has not been read is lost, and the follower is told. */
  cut(): void {
    this.queue.length = 0;
    this.publish('gap');
  }

  private read(): void {
    this.reading = true;
    setTimeout(() => {
      const next = this.queue.shift();
      if (next === 'gap') this.onGap();
      else if (next !== undefined) this.onEvent(next);
      this.reading = false;
      if (this.queue.length > 0) this.read();
    }, this.delay());
  }
}

class World {
  readonly groups = new Groups();
  readonly store = new SimulatedStore(2);
  readonly pod = new FeedPod(this.store);
  readonly stream: Stream;
  readonly membership: GatewayMembership;
  readonly connections: RecordedConnection[] = [];
  readonly strangers: string[] = [];
  /** Where each connection that was bound began. */
  readonly bases = new Map<string, Positions>();
  private readonly form = new RecordedForm('f', 'object');
  private ids = 0;

  constructor(private readonly random: () => number) {
    this.store.delay = () => Math.floor(this.random() ** 3 * 60);
    this.store.fails = () => this.random() < 0.15;
    this.store.memberships = (userId) => this.groups.of(userId);
    this.pod.rooms.delay = () => Math.floor(this.random() * 20);
    this.stream = new Stream(() => Math.floor(this.random() ** 2 * 60));
    const { rooms, config, logger, versions, feed, positions } = this.pod;
    this.membership = new GatewayMembership(
      this.stream,
      this.store,
      rooms,
      config,
      logger,
      versions,
      feed,
      positions,
    );
  }

  async run(steps: readonly Step[]): Promise<void> {
    await this.membership.onModuleInit();
    for (const step of steps) {
      await this.take(step);
      await jest.advanceTimersByTimeAsync(1);
    }
    this.store.fails = () => false;
    await jest.advanceTimersByTimeAsync(20_000);
  }

  private async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'login':
        return void this.login(step.user);
      case 'logout': {
        const bound = this.connections.filter(({ isOpen }) => isOpen);
        return this.logout(bound[step.at % bound.length]);
      }
      case 'change':
        return this.stream.publish(this.groups.toggle(step.user, step.group));
      case 'command':
        return this.command(step.user, step.group, step.answerAfter);
      case 'message':
        return void this.message(step.group, step.delay);
      case 'gap':
        return this.stream.cut();
      case 'dissolve':
        return this.stream.publish(this.groups.dissolve(step.group));
      case 'wait':
        return void (await jest.advanceTimersByTimeAsync(step.ms));
    }
  }

  private async login(user: string): Promise<void> {
    const connection = new RecordedConnection(`c${this.connections.length}`, user, this.form, true);
    connection.onShown = ({ conversation, seq }) => {
      const parsed = parseConversation(conversation);
      if (parsed.kind === 'private') return;
      const { membershipVersion, messageId } = this.store.messages.get(conversation)![seq - 1]!;
      const wasMember = this.groups.wasMember(parsed.groupId, membershipVersion, user);
      if (!wasMember) this.strangers.push(messageId);
    };
    this.connections.push(connection);
    while (connection.isOpen) {
      try {
        await this.membership.bind(connection);
        const base = await this.pod.positions.read();
        this.pod.feed.attach(connection, base);
        this.bases.set(connection.id, base);
        return;
      } catch {
        this.membership.unbind(connection);
        connection.packets.length = 0;
      }
    }
  }

  logout(connection: RecordedConnection | undefined): void {
    if (connection === undefined) return;
    connection.isOpen = false;
    this.membership.unbind(connection);
  }

  private command(user: string, groupId: string, answerAfter: number): void {
    const event = this.groups.toggle(user, groupId);
    this.stream.publish(event);
    const { version, role } = event;
    setTimeout(
      () => void this.membership.applied(user, { groupId, version, role, changed: true }),
      answerAfter,
    );
  }

  message(group: string, delay: number): StoredMessage {
    const version = this.groups.versions.get(group)!;
    const message = this.store.commit(groupConversation(group), 'dan', `m${this.ids++}`, version);
    setTimeout(() => this.pod.rooms.emit(groupRoom(group), { kind: 'message', ...message }), delay);
    return message;
  }
}

describe('memberships of the connected, whatever comes first', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('ends with the memberships of the groups service, and shows a message to nobody who was no member', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 10, maxLength: 60 }),
        fc.infiniteStream(fc.nat(999)),
        async (steps, noise) => {
          const world = new World(() => (noise.next().value as number) / 1000);
          world.pod.rooms.onEvent((_room, event) => {
            if (event.kind === 'message') world.pod.feed.receive(event);
          });
          await world.run(steps);
          const { groups, membership, pod } = world;

          for (const { id, isOpen, session } of world.connections) {
            const user = session!.userId;
            const rooms = [userRoom(user), ...groups.of(user).map(({ groupId }) => groupRoom(groupId))];
            expect(pod.rooms.roomsOf(id).sort()).toEqual(isOpen ? rooms.sort() : []);
          }
          const open = world.connections.filter(({ isOpen }) => isOpen);
          for (const user of new Set(open.map(({ session }) => session!.userId))) {
            for (const group of GROUPS) {
              const isMember = groups.members.get(group)!.has(user);
              expect(membership.isMember(user, group)).toBe(isMember);
              if (!isMember) continue;
              expect(membership.versionOf(user, group)).toBe(groups.versions.get(group));
              expect(pod.versions.hasReached(group, groups.versions.get(group)!)).toBe(true);
            }
          }

          // Every member gets what is sent now, nobody else does.
          const sent = GROUPS.map((group) => world.message(group, 1));
          await jest.advanceTimersByTimeAsync(5000);
          for (const connection of open) {
            const mine = groups
              .of(connection.session!.userId)
              .map(({ groupId }) => groupConversation(groupId));
            const due = sent.filter(({ conversation }) => mine.includes(conversation));
            const shown = connection.shown.map(({ messageId }) => messageId);
            for (const { messageId } of sent) {
              const times = shown.filter((id) => id === messageId).length;
              expect(times).toBe(due.some((message) => message.messageId === messageId) ? 1 : 0);
            }
          }
          // And what was said since they became one, also while this pod had not heard of that.
          for (const connection of open) {
            const base = world.bases.get(connection.id)!;
            for (const { groupId, memberSince } of groups.of(connection.session!.userId)) {
              const stored = world.store.messages.get(groupConversation(groupId)) ?? [];
              const due = stored.filter(
                ({ membershipVersion, partition, position }) =>
                  membershipVersion >= memberSince && position > base[partition]!,
              );
              expect(connection.seqsOf(groupConversation(groupId)).slice(-due.length || Infinity)).toEqual(
                due.map(({ seq }) => seq),
              );
            }
          }
          expect(world.strangers).toEqual([]);
          for (const { packets } of world.connections) expectRising(packets);

          for (const connection of open) world.logout(connection);
          expect(await pod.metric('conversations')).toBe(0);
          for (const group of GROUPS) expect(pod.versions.hasReached(group, 0)).toBe(false);
        },
      ),
      { numRuns: 500 },
    );
  }, 120_000);
});

/** A client may take the pushes as they come. */
function expectRising(pushes: readonly Record<string, unknown>[]): void {
  for (const group of GROUPS) {
    const versions = pushes
      .filter(({ chatId }) => chatId === group)
      .map(({ groupVersion }) => groupVersion as number);
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
  }
}
