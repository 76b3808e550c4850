import type { Positions, StoredMessage } from '@starling/bus';
import {
  groupConversation,
  parseConversation,
  privateConversation,
  type ConversationKey,
} from '@starling/protocol';
import { groupRoom, roomsOf, userRoom, type RoomName } from '@starling/rooms';
import fc from 'fast-check';
import { FeedPod } from '../../test/feed-pod.js';
import { RecordedConnection, RecordedForm } from '../../test/recorded-connection.js';
import { SimulatedStore } from '../../test/simulated-store.js';

const USERS = ['ada', 'ben', 'cem'];
const GROUPS = ['crew', 'band'];
const CONVERSATIONS: ConversationKey[] = [
  privateConversation('ada', 'ben'),
  privateConversation('ada', 'ada'),
  privateConversation('ben', 'cem'),
  ...GROUPS.map(groupConversation),
];

/** Mostly one, so that things happen to it at the same time. */
const conversation = fc.oneof(
  { weight: 2, arbitrary: fc.constant(groupConversation('crew')) },
  { weight: 1, arbitrary: fc.constantFrom(...CONVERSATIONS) },
);

/** What happens to one broadcast: milliseconds until it comes; null: lost. A message may have several. */
const fates = fc.array(fc.option(fc.nat(40), { freq: 2 }), { minLength: 1, maxLength: 3 });

const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('login' as const), user: fc.constantFrom(...USERS) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('logout' as const), at: fc.nat(9) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('join' as const, 'leave' as const),
      user: fc.constantFrom(...USERS),
      group: fc.constantFrom(...GROUPS),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('foreign' as const),
      conversation,
      messages: fc.array(fates, { minLength: 1, maxLength: 5 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('own' as const),
      at: fc.nat(9),
      conversation,
      fates,
      answerAfter: fc.nat(60),
      isAnswered: fc.boolean(),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(60) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('check' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('lag' as const), group: fc.constantFrom(...GROUPS) }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

interface Membership {
  /** Null until the room's positions are read. */
  since: { position: number; version: number } | null;
}

/** A connection with the model of what it is due. */
class Client {
  base: Positions | null = null;
  isGone = false;
  readonly groups = new Map<string, Membership>();
  /** Seqs answered as stored to this connection's own sends. */
  readonly acknowledged = new Set<string>();

  constructor(readonly connection: RecordedConnection) {}

  get user(): string {
    return this.connection.session!.userId;
  }
}

class World {
  readonly store = new SimulatedStore(2);
  readonly pod = new FeedPod(this.store, { FEED_BUFFER_MAX: '2' });
  readonly form = new RecordedForm('f', 'bytes');
  readonly clients: Client[] = [];
  readonly members = new Map(GROUPS.map((group) => [group, new Set<string>()]));
  readonly versions = new Map(GROUPS.map((group) => [group, 1]));
  readonly lagging = new Set<string>();
  readonly tooEarly: number[] = [];
  private ids = 0;

  constructor(private readonly random: () => number) {
    this.store.delay = () => Math.floor(this.random() ** 3 * 80);
    this.store.fails = () => this.random() < 0.15;
    this.store.lag = () => (this.random() < 0.15 ? Math.ceil(this.random() * 3) : 0);
    this.pod.rooms.delay = () => Math.floor(this.random() * 20);
    for (const group of GROUPS) this.pod.versions.reached(group, 1);
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      await this.take(step);
      await jest.advanceTimersByTimeAsync(1);
    }
    // Broadcasts and answers on their way arrive, then two checks find whatever was lost.
    this.store.fails = () => false;
    this.store.lag = () => 0;
    for (const group of GROUPS) this.catchUp(group);
    await jest.advanceTimersByTimeAsync(5000);
    for (let i = 0; i < 2; i++) {
      void this.pod.check.check();
      await jest.advanceTimersByTimeAsync(5000);
    }
  }

  private async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'login':
        return void this.login(step.user);
      case 'logout':
        return this.logout(this.clientAt(step.at));
      case 'join':
        return this.join(step.user, step.group);
      case 'leave':
        return this.leave(step.user, step.group);
      case 'foreign':
        for (const fates of step.messages) {
          this.broadcast(this.commit(step.conversation, this.senderOf(step.conversation)), fates);
        }
        return;
      case 'own':
        return this.send(step);
      case 'wait':
        return void (await jest.advanceTimersByTimeAsync(step.ms));
      case 'check':
        return void this.pod.check.check();
      case 'lag':
        this.lagging.add(step.group);
        setTimeout(() => this.catchUp(step.group), 100);
    }
  }

  /** Nothing of a group goes out before this pod knows the members it was meant for. */
  private checkVersion(conversation: ConversationKey, seq: number): void {
    const parsed = parseConversation(conversation);
    if (parsed.kind === 'private') return;
    const { membershipVersion } = this.store.messages.get(conversation)![seq - 1]!;
    if (!this.pod.versions.hasReached(parsed.groupId, membershipVersion)) this.tooEarly.push(seq);
  }

  private clientAt(at: number): Client | undefined {
    const here = this.clients.filter(({ isGone }) => !isGone);
    return here[at % here.length];
  }

  private async login(user: string): Promise<void> {
    const client = new Client(new RecordedConnection(`c${this.clients.length}`, user, this.form));
    client.connection.onShown = ({ conversation, seq }) => this.checkVersion(conversation, seq);
    this.clients.push(client);
    const rooms: RoomName[] = [userRoom(user)];
    this.pod.feed.begin(client.connection, new Map());
    for (const [group, members] of this.members) {
      if (!members.has(user)) continue;
      client.groups.set(group, { since: { position: 0, version: 0 } });
      rooms.push(groupRoom(group));
    }
    await this.pod.rooms.join(client.connection.id, rooms);
    let base: Positions | null = null;
    while (base === null && !client.isGone) base = await this.pod.positions.read().catch(() => null);
    if (base === null || client.isGone) return;
    client.base = base;
    this.pod.feed.attach(client.connection, base);
  }

  private logout(client: Client | undefined): void {
    if (client === undefined) return;
    this.freeze(client);
    client.isGone = true;
    const rooms = this.pod.rooms.roomsOf(client.connection.id);
    this.pod.rooms.drop(client.connection.id);
    this.pod.feed.detach(client.connection, rooms);
  }

  private join(user: string, group: string): void {
    if (this.members.get(group)!.has(user)) return;
    this.members.get(group)!.add(user);
    const version = this.raise(group);
    for (const client of this.clients)
      if (!client.isGone && client.user === user) void this.enter(client, group, version);
  }

  private async enter(client: Client, group: string, version: number): Promise<void> {
    const membership: Membership = { since: null };
    client.groups.set(group, membership);
    this.pod.feed.beginGroup(client.connection, group);
    await this.pod.rooms.join(client.connection.id, [groupRoom(group)]);
    let positions: Positions | null = null;
    const isHere = (): boolean => !client.isGone && client.groups.get(group) === membership;
    while (positions === null && isHere()) positions = await this.pod.positions.read().catch(() => null);
    if (positions === null || !isHere()) return;
    const partition = this.partitionOf(groupConversation(group));
    membership.since = { position: positions[partition]!, version };
    this.pod.feed.joinGroup(client.connection, group, { positions, version, earlier: [] });
  }

  private leave(user: string, group: string): void {
    if (!this.members.get(group)!.delete(user)) return;
    for (const client of this.clients) {
      if (client.isGone || client.user !== user) continue;
      this.freeze(client, groupConversation(group));
      client.groups.delete(group);
      this.pod.rooms.leave(client.connection.id, groupRoom(group));
      this.pod.feed.leaveGroup(client.connection, group);
    }
    this.raise(group);
  }

  private raise(group: string): number {
    const version = this.versions.get(group)! + 1;
    this.versions.set(group, version);
    if (!this.lagging.has(group)) this.pod.versions.reached(group, version);
    return version;
  }

  private catchUp(group: string): void {
    this.lagging.delete(group);
    this.pod.versions.reached(group, this.versions.get(group)!);
  }

  private commit(conversation: ConversationKey, sender: string): StoredMessage {
    const parsed = parseConversation(conversation);
    const version = parsed.kind === 'group' ? this.versions.get(parsed.groupId)! : 0;
    return this.store.commit(conversation, sender, `m${this.ids++}`, version);
  }

  private broadcast(message: StoredMessage, fates: readonly (number | null)[]): void {
    for (const room of roomsOf(message.conversation)) {
      for (const fate of fates) {
        if (fate === null) continue;
        setTimeout(() => {
          if (this.pod.rooms.membersOf(room)) this.pod.feed.receive({ kind: 'message', ...message });
        }, fate);
      }
    }
  }

  private send({ at, conversation, fates, answerAfter, isAnswered }: Extract<Step, { kind: 'own' }>): void {
    const client = this.clientAt(at);
    if (client === undefined || client.base === null || !this.maySend(client, conversation)) return;
    this.pod.feed.submitting(client.connection, `m${this.ids}`);
    const message = this.commit(conversation, client.user);
    this.broadcast(message, fates);
    setTimeout(() => {
      if (isAnswered && !client.isGone) client.acknowledged.add(message.messageId);
      this.pod.feed.answered(client.connection, message.messageId, isAnswered ? message : null);
    }, answerAfter);
  }

  private maySend(client: Client, conversation: ConversationKey): boolean {
    const parsed = parseConversation(conversation);
    if (parsed.kind === 'group') return (client.groups.get(parsed.groupId)?.since ?? null) !== null;
    return parsed.users.includes(client.user);
  }

  private senderOf(conversation: ConversationKey): string {
    const parsed = parseConversation(conversation);
    return parsed.kind === 'group' ? 'dan' : parsed.users[Math.floor(this.random() * 2)]!;
  }

  private partitionOf(conversation: ConversationKey): number {
    const probe = this.store.messages.get(conversation)?.[0];
    if (probe !== undefined) return probe.partition;
    return this.store.commit(conversation, 'dan', `m${this.ids++}`).partition;
  }

  /** Messages since the connection began of which it is due what is above its base and its join. */
  dueIn(client: Client, conversation: ConversationKey): StoredMessage[] {
    const parsed = parseConversation(conversation);
    if (parsed.kind === 'private' && !parsed.users.includes(client.user)) return [];
    const since =
      parsed.kind === 'group'
        ? (client.groups.get(parsed.groupId)?.since ?? null)
        : { position: 0, version: 0 };
    if (since === null || client.base === null) return [];
    return (this.store.messages.get(conversation) ?? []).filter(
      ({ position, partition, membershipVersion }) =>
        position > client.base![partition]! &&
        position > since.position &&
        membershipVersion >= since.version,
    );
  }

  /** What it may have been shown when it leaves; later messages are not its any more. */
  readonly left = new Map<Client, Map<ConversationKey, { due: string[]; shownBefore: number }[]>>();

  private freeze(client: Client, only?: ConversationKey): void {
    const frozen =
      this.left.get(client) ?? new Map<ConversationKey, { due: string[]; shownBefore: number }[]>();
    this.left.set(client, frozen);
    for (const conversation of only === undefined ? CONVERSATIONS : [only]) {
      const spans = frozen.get(conversation) ?? [];
      frozen.set(conversation, spans);
      spans.push({
        due: this.dueIn(client, conversation).map(({ messageId }) => messageId),
        shownBefore: client.connection.seqsOf(conversation).length,
      });
    }
  }
}

describe('the feed, under loss, repetition and disorder', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('gives every connection exactly what it is due, once and in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 10, maxLength: 60 }),
        fc.infiniteStream(fc.nat(999)),
        async (steps, noise) => {
          const world = new World(() => (noise.next().value as number) / 1000);
          await world.run(steps);
          for (const client of world.clients) {
            for (const conversation of CONVERSATIONS) checkShown(world, client, conversation);
          }
          expect(world.tooEarly).toEqual([]);
          for (const client of world.clients.filter(({ isGone }) => !isGone)) {
            const rooms = world.pod.rooms.roomsOf(client.connection.id);
            world.pod.rooms.drop(client.connection.id);
            world.pod.feed.detach(client.connection, rooms);
          }
          expect(await world.pod.metric('conversations')).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  }, 120_000);
});

function checkShown(world: World, client: Client, conversation: ConversationKey): void {
  const shown = client.connection.shown.filter((message) => message.conversation === conversation);
  // Each once, in order, with the right face.
  const seqs = shown.map(({ seq }) => seq);
  expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
  const senders = new Map(world.store.messages.get(conversation)?.map(({ seq, sender }) => [seq, sender]));
  for (const { seq, isItMe } of shown) expect(isItMe).toBe(senders.get(seq) === client.user);

  const withoutOwn = (ids: readonly string[]): string[] => ids.filter((id) => !client.acknowledged.has(id));
  let rest = shown.map(({ messageId }) => messageId);
  for (const { due, shownBefore } of world.left.get(client)?.get(conversation) ?? []) {
    const until = rest.slice(0, shownBefore - (shown.length - rest.length));
    // An unbroken beginning: what was on its way when it left never comes.
    expect(until).toEqual(withoutOwn(due).slice(0, until.length));
    rest = rest.slice(until.length);
  }
  if (client.isGone) expect(rest).toEqual([]);
  else expect(rest).toEqual(withoutOwn(world.dueIn(client, conversation).map(({ messageId }) => messageId)));
}
