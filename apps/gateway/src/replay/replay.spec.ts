import {
  MessageStoreRequest,
  type MembershipEvent,
  type MembershipOfUser,
  type StoredMessage,
} from '@starling/bus';
import { groupConversation, privateConversation, Refusal, type ConversationKey } from '@starling/protocol';
import { roomsOf } from '@starling/rooms';
import fc from 'fast-check';
import { FeedPod } from '../../test/feed-pod.js';
import { RecordedConnection, RecordedForm } from '../../test/recorded-connection.js';
import { SimulatedStore } from '../../test/simulated-store.js';
import { GatewayMembership } from '../membership/gateway-membership.js';
import { Replay } from './replay.js';

const PAIR = privateConversation('ada', 'ben');
const OTHER = privateConversation('ada', 'cem');
const CREW = groupConversation('crew');
const BYTES = new RecordedForm('bytes', 'bytes');
const OBJECT = new RecordedForm('object', 'object');

/** A gateway as its logins and endings see it. */
class Gateway {
  readonly pod: FeedPod;
  readonly membership: GatewayMembership;
  readonly replay: Replay;
  onEvent: (event: MembershipEvent) => void = () => undefined;
  private connections = 0;

  constructor(
    private readonly name: string,
    store: SimulatedStore,
    environment: Record<string, string>,
  ) {
    this.pod = new FeedPod(store, environment);
    const { rooms, logger, versions, feed, positions, config } = this.pod;
    const follower = {
      follow: async (onEvent: (event: MembershipEvent) => void) => {
        this.onEvent = onEvent;
        return { stop: async () => undefined };
      },
    };
    this.membership = new GatewayMembership(
      follower,
      store,
      rooms,
      config,
      logger,
      versions,
      feed,
      positions,
    );
    this.replay = new Replay(feed, positions, this.membership, store, config, logger);
  }

  async start(): Promise<void> {
    await this.membership.onModuleInit();
    this.replay.onModuleInit();
    this.pod.check.onApplicationBootstrap();
  }

  async login(userId: string, form = BYTES, pushes = false): Promise<RecordedConnection> {
    const connection = new RecordedConnection(`${this.name}${this.connections++}`, userId, form, pushes);
    await this.membership.bind(connection);
    const deliver = await this.replay.arrive(connection);
    deliver();
    return connection;
  }

  end(connection: RecordedConnection, clean: boolean): void {
    connection.isOpen = false;
    this.replay.ended(connection, clean);
    this.membership.unbind(connection);
    connection.answerPings(false);
  }

  receive(message: StoredMessage): void {
    for (const room of roomsOf(message.conversation)) {
      this.pod.rooms.emit(room, { kind: 'message', ...message });
    }
  }
}

let store: SimulatedStore;
let gateways: [Gateway, Gateway];
let memberships: Map<string, MembershipOfUser[]>;
let ids: number;

beforeEach(() => {
  jest.useFakeTimers();
  return start({});
});
afterEach(() => jest.useRealTimers());

async function start(environment: Record<string, string>, partitions = 2): Promise<void> {
  store = new SimulatedStore(partitions);
  memberships = new Map();
  store.memberships = (userId) => memberships.get(userId) ?? [];
  gateways = [new Gateway('a', store, environment), new Gateway('b', store, environment)];
  for (const gateway of gateways) {
    gateway.pod.rooms.onEvent((_room, event) => {
      if (event.kind === 'message') gateway.pod.feed.receive(event);
    });
    await gateway.start();
  }
  ids = 0;
}

function send(conversation: ConversationKey, sender = 'ben', version = 0): StoredMessage {
  const message = store.commit(conversation, sender, `m${ids++}`, version);
  for (const gateway of gateways) gateway.receive(message);
  return message;
}

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

describe('a client of the byte endpoint that never syncs', () => {
  it('is given at login what came while it was away, in order, once, before what is new', async () => {
    const [here, there] = gateways;
    const before = await here.login('ada');
    send(PAIR);
    await pass(100);
    here.end(before, true);
    await pass(100);
    send(PAIR);
    send(OTHER, 'cem');
    send(PAIR);
    const after = await there.login('ada');
    send(PAIR);
    await pass(100);
    send(PAIR);
    expect(before.seqsOf(PAIR)).toEqual([1]);
    expect(after.seqsOf(PAIR)).toEqual([2, 3, 4, 5]);
    expect(after.seqsOf(OTHER)).toEqual([1]);
    expect(await there.pod.metric('replayed_total')).toBe(3);
    there.end(after, true);
    await pass(100);
    expect((await here.login('ada')).shown).toEqual([]);
  });

  it('begins with what is new when it logs in for the first time', async () => {
    send(PAIR);
    const connection = await gateways[0].login('ada');
    send(PAIR);
    await pass(100);
    expect(connection.seqsOf(PAIR)).toEqual([2]);
  });

  it('cut off is given again what its side had not confirmed, and nothing that it had', async () => {
    const [here, there] = gateways;
    const before = await here.login('ada');
    send(PAIR);
    await pass(1500);
    before.autoConfirm = false;
    send(PAIR);
    await pass(5000);
    send(PAIR);
    here.end(before, false);
    await pass(100);
    const after = await there.login('ada');
    await pass(100);
    expect(before.seqsOf(PAIR)).toEqual([1, 2, 3]);
    expect(after.seqsOf(PAIR)).toEqual([2, 3]);
  });

  it('is asked for a confirmation once a second at most, and only after something was written', async () => {
    const connection = await gateways[0].login('ada');
    await pass(60_000);
    // The checks of silence settle positions, which are confirmed as well.
    const idle = connection.confirms;
    expect(idle).toBeLessThanOrEqual(4);
    for (let i = 0; i < 100; i++) {
      send(PAIR);
      await pass(100);
    }
    expect(connection.confirms - idle).toBeLessThanOrEqual(12);
    expect(connection.confirms - idle).toBeGreaterThanOrEqual(9);
  });

  it('is given the newest where it missed more than the limit', async () => {
    await start({ REPLAY_MAX_MESSAGES: '5' });
    const [here, there] = gateways;
    here.end(await here.login('ada'), true);
    await pass(100);
    for (let i = 0; i < 20; i++) {
      send(OTHER, 'cem');
      await pass(1);
    }
    for (let i = 0; i < 3; i++) {
      send(PAIR);
      await pass(1);
    }
    const after = await there.login('ada');
    await pass(100);
    expect(after.seqsOf(PAIR)).toEqual([1, 2, 3]);
    expect(after.seqsOf(OTHER)).toEqual([19, 20]);
  });

  it('is given a long absence whole where the limit allows, more than one answer of the store holds', async () => {
    await start({ REPLAY_MAX_MESSAGES: '2000' });
    const [here, there] = gateways;
    here.end(await here.login('ada'), true);
    await pass(100);
    for (let i = 0; i < 1200; i++) send(PAIR);
    const after = await there.login('ada');
    await pass(100);
    expect(after.seqsOf(PAIR)).toEqual(Array.from({ length: 1200 }, (_, i) => i + 1));
  });

  it('begins anew when it stayed away for longer than the lease', async () => {
    const [here, there] = gateways;
    here.end(await here.login('ada'), true);
    await pass(100);
    send(PAIR);
    await pass(600_001);
    expect((await there.login('ada')).shown).toEqual([]);
  });

  it('keeps its lease while connected, also when nothing is said for long', async () => {
    const [here, there] = gateways;
    const before = await here.login('ada');
    await pass(3_600_000);
    before.autoConfirm = false;
    send(PAIR);
    here.end(before, false);
    await pass(100);
    const after = await there.login('ada');
    await pass(100);
    expect(after.seqsOf(PAIR)).toEqual([1]);
  });

  it('is shown nothing twice that came while it was being given the rest, nor out of order', async () => {
    const [here, there] = gateways;
    here.end(await here.login('ada'), true);
    await pass(100);
    for (let i = 0; i < 3; i++) send(PAIR);
    store.delay = () => 30;
    const login = there.login('ada');
    for (let i = 0; i < 40; i++) {
      await pass(10);
      send(PAIR);
    }
    const after = await login;
    await pass(1000);
    expect(after.seqsOf(PAIR)).toEqual(Array.from({ length: 43 }, (_, i) => i + 1));
  });

  it('waits for a store that fails in the middle, and nothing newer passes by', async () => {
    const [here, there] = gateways;
    here.end(await here.login('ada'), true);
    await pass(100);
    send(PAIR);
    store.fails = (name) => name === MessageStoreRequest.repair.name;
    const after = await there.login('ada');
    send(PAIR);
    send(OTHER, 'cem');
    await pass(5000);
    expect(after.seqsOf(PAIR)).toEqual([]);
    expect(after.seqsOf(OTHER)).toEqual([1]);
    store.fails = () => false;
    await pass(5000);
    expect(after.seqsOf(PAIR)).toEqual([1, 2]);
  });

  it('waits for a store that is behind the one that told what was missed, and nothing newer passes by', async () => {
    const [here, there] = gateways;
    here.end(await here.login('ada'), true);
    await pass(100);
    for (let i = 0; i < 4; i++) send(PAIR);
    store.lag = () => 2;
    const after = await there.login('ada');
    await pass(5000);
    expect(after.seqsOf(PAIR)).toEqual([]);
    const asked = store.askedFor(MessageStoreRequest.repair).length;
    expect(asked).toBeGreaterThan(2);
    expect(asked).toBeLessThan(15);
    store.lag = () => 0;
    send(PAIR);
    await pass(5000);
    expect(after.seqsOf(PAIR)).toEqual([1, 2, 3, 4, 5]);
  });

  it('loses nothing while deliveries cannot be saved', async () => {
    const [here, there] = gateways;
    const before = await here.login('ada');
    store.fails = (name) => name === MessageStoreRequest.saveReplay.name;
    send(PAIR);
    await pass(5000);
    store.fails = () => false;
    await pass(1500);
    here.end(before, false);
    await pass(100);
    send(PAIR);
    const after = await there.login('ada');
    await pass(100);
    expect(after.seqsOf(PAIR)).toEqual([2]);
  });

  it('is shown nothing again at once after its end, though the store answers with what it knew before that', async () => {
    const [here] = gateways;
    const before = await here.login('ada');
    send(PAIR);
    await pass(100);
    const request = store.request.bind(store);
    jest.spyOn(store, 'request').mockImplementation(async (pattern, payload) => {
      if (pattern.name === MessageStoreRequest.saveReplay.name) await later(10);
      const reply = await request(pattern, payload);
      if (pattern.name === MessageStoreRequest.loadReplay.name) await later(30);
      return reply;
    });
    here.end(before, true);
    const login = here.login('ada');
    await pass(100);
    const after = await login;
    await pass(100);
    expect(before.seqsOf(PAIR)).toEqual([1]);
    expect(after.shown).toEqual([]);
  });

  it('logs in for the first time beside a thousand others, though each has a number of every partition to save', async () => {
    await start({}, 1024);
    const request = store.request.bind(store);
    jest.spyOn(store, 'request').mockImplementation(async (pattern, payload) => {
      // What NATS takes at once by default.
      if (Buffer.byteLength(JSON.stringify(payload)) > 1 << 20) throw new Refusal('UNAVAILABLE');
      return request(pattern, payload);
    });
    store.delay = () => 20;
    const logins = Promise.all(Array.from({ length: 1000 }, (_, i) => gateways[0].login(`u${i}`)));
    await pass(5000);
    expect(await logins).toHaveLength(1000);
    expect(store.replays.size).toBe(1000);
  });

  it('cannot log in while the store does not answer, and nothing of the attempt stays', async () => {
    const [here] = gateways;
    store.fails = (name) => name === MessageStoreRequest.loadReplay.name;
    const connection = new RecordedConnection('c', 'ada', BYTES);
    await here.membership.bind(connection);
    await expect(here.replay.arrive(connection)).rejects.toThrow('does not answer');
    here.end(connection, false);
    expect(here.pod.rooms.roomsOf('c')).toEqual([]);
  });

  it('is shown nothing of a group it left, nor what a group held before it joined', async () => {
    const [here, there] = gateways;
    memberships.set('ada', [{ groupId: 'crew', version: 1, role: 'member', memberSince: 0 }]);
    const before = await here.login('ada');
    for (const gateway of gateways) {
      gateway.onEvent({
        groupId: 'crew',
        version: 2,
        change: 'removed',
        userId: 'ada',
        role: null,
        by: null,
      });
    }
    memberships.set('ada', []);
    send(CREW, 'ben', 2);
    here.onEvent({ groupId: 'crew', version: 3, change: 'added', userId: 'ada', role: 'member', by: null });
    memberships.set('ada', [{ groupId: 'crew', version: 3, role: 'member', memberSince: 3 }]);
    await pass(100);
    here.end(before, true);
    await pass(100);
    send(CREW, 'ben', 3);
    const after = await there.login('ada');
    await pass(100);
    expect(after.seqsOf(CREW)).toEqual([2]);
    there.end(after, true);
    await pass(100);
    send(CREW, 'ben', 3);
    memberships.set('ada', []);
    const last = await here.login('ada');
    await pass(100);
    expect(last.shown).toEqual([]);
  });

  it('is shown nothing of what a group held before it joined, though its gateway died before that was kept', async () => {
    const [here, there] = gateways;
    await here.login('ada');
    send(CREW, 'ben', 1);
    memberships.set('ada', [{ groupId: 'crew', version: 2, role: 'member', memberSince: 2 }]);
    const change = { change: 'added', userId: 'ada', role: 'member', by: null } as const;
    here.onEvent({ groupId: 'crew', version: 2, ...change });
    send(CREW, 'ben', 2);
    const after = await there.login('ada');
    await pass(1000);
    expect(after.seqsOf(CREW)).toEqual([2]);
  });

  it('is shown what was said since it became a member, though its gateway heard late of that and died', async () => {
    const [here, there] = gateways;
    const before = await here.login('ada');
    before.autoConfirm = false;
    send(CREW, 'ben', 1);
    memberships.set('ada', [{ groupId: 'crew', version: 2, role: 'member', memberSince: 2 }]);
    send(CREW, 'ben', 2);
    here.onEvent({
      groupId: 'crew',
      version: 2,
      change: 'added',
      userId: 'ada',
      role: 'member',
      by: null,
    });
    await pass(1000);
    expect(before.seqsOf(CREW)).toEqual([2]);
    here.end(before, false);
    const after = await there.login('ada');
    await pass(1000);
    expect(after.seqsOf(CREW)).toEqual([2]);
  });

  it('is not given again what an answer has shown it, though it retries before the replay has come', async () => {
    const [here, there] = gateways;
    here.end(await here.login('ada'), true);
    await pass(100);
    const own = send(PAIR, 'ada');
    store.fails = (name) => name === MessageStoreRequest.repair.name;
    const after = await there.login('ada');
    send(PAIR);
    there.pod.feed.submitting(after, 'retry');
    there.pod.feed.answered(after, 'retry', own);
    store.fails = () => false;
    await pass(5000);
    expect(after.seqsOf(PAIR)).toEqual([2]);
  });

  it('on two devices is given on the second what no device has confirmed', async () => {
    const [here] = gateways;
    const first = await here.login('ada');
    send(PAIR);
    await pass(1500);
    const second = await here.login('ada');
    send(PAIR);
    await pass(100);
    expect(first.seqsOf(PAIR)).toEqual([1, 2]);
    expect(second.seqsOf(PAIR)).toEqual([2]);
  });
});

describe('a client that closes its gaps itself', () => {
  it.each([
    ['asks for pushes', BYTES, true],
    ['speaks Socket.IO', OBJECT, false],
  ])('because it %s is given only what is new', async (_why, form, pushes) => {
    const [here, there] = gateways;
    here.end(await here.login('ada', form, pushes), true);
    await pass(100);
    send(PAIR);
    const after = await there.login('ada', form, pushes);
    await pass(100);
    expect(after.shown).toEqual([]);
    expect(store.askedFor(MessageStoreRequest.saveReplay)).toEqual([]);
    expect(after.confirms).toBe(0);
  });

  it('because it asks for history during the replay is given no more of it', async () => {
    const [here, there] = gateways;
    here.end(await here.login('ada'), true);
    await pass(100);
    send(PAIR);
    store.fails = (name) => name === MessageStoreRequest.repair.name;
    const after = await there.login('ada');
    await pass(100);
    after.session!.syncs = true;
    store.fails = () => false;
    await pass(5000);
    send(PAIR);
    expect(after.seqsOf(PAIR)).toEqual([2]);
  });
});

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      conversation: fc.constantFrom(PAIR, OTHER),
      isLost: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(1500) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('come' as const), to: fc.constantFrom(0, 1) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('go' as const), isClean: fc.boolean() }) },
);

it('shows each message in order and, unless cut off, once, wherever its user comes and goes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 50 }),
      fc.infiniteStream(fc.nat(40)),
      async (steps, delays) => {
        jest.clearAllTimers();
        await start({});
        await gateways[0].login('ada').then((first) => gateways[0].end(first, true));
        await pass(100);
        store.delay = () => delays.next().value as number;
        const seen: { connection: RecordedConnection; isCut: boolean }[] = [];
        let here: { connection: RecordedConnection; gateway: Gateway } | null = null;
        const come = async (to: number): Promise<void> => {
          const gateway = gateways[to]!;
          const login = gateway.login('ada');
          await pass(1000);
          here = { connection: await login, gateway };
        };
        const go = async (isClean: boolean): Promise<void> => {
          if (here === null) return;
          here.gateway.end(here.connection, isClean);
          seen.push({ connection: here.connection, isCut: !isClean });
          here = null;
          // A save is on its way; who is faster than it is shown again what it saw.
          await pass(500);
        };
        for (const step of steps) {
          if (step.kind === 'send') {
            const message = store.commit(step.conversation, 'ben', `m${ids++}`);
            if (!step.isLost) for (const gateway of gateways) gateway.receive(message);
          } else if (step.kind === 'pass') await pass(step.ms);
          else if (step.kind === 'come' && here === null) await come(step.to);
          else if (step.kind === 'go') await go(step.isClean);
        }
        await go(true);
        await come(1);
        await pass(40_000);
        await go(true);

        for (const conversation of [PAIR, OTHER]) {
          const all = (store.messages.get(conversation) ?? []).map(({ seq }) => seq);
          let shown = 0;
          let isCut = false;
          for (const visit of seen) {
            const seqs = visit.connection.seqsOf(conversation);
            if (seqs.length > 0) {
              // Without a hole; from the next on, or, after being cut off, from one that was shown already.
              if (isCut) expect(seqs[0]).toBeLessThanOrEqual(shown + 1);
              else expect(seqs[0]).toBe(shown + 1);
              expect(seqs).toEqual(all.slice(seqs[0]! - 1, seqs.at(-1)));
              shown = Math.max(shown, seqs.at(-1)!);
            }
            isCut = visit.isCut || (isCut && seqs.length === 0);
          }
          expect(shown).toBe(all.length);
        }
      },
    ),
    { numRuns: 200 },
  );
}, 120_000);
