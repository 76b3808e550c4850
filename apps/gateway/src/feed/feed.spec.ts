import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { MessageStoreRequest, type Positions, type StoredMessage } from '@starling/bus';
import { groupConversation, privateConversation, type ConversationKey } from '@starling/protocol';
import { groupRoom, userRoom, type RoomName } from '@starling/rooms';
import { FeedPod } from '../../test/feed-pod.js';
import { RecordedConnection, RecordedForm } from '../../test/recorded-connection.js';
import { SimulatedStore } from '../../test/simulated-store.js';

const CREW = groupConversation('crew');
const PAIR = privateConversation('ada', 'ben');

let store: SimulatedStore;
let pod: FeedPod;
let form: RecordedForm;
let ids: number;

beforeEach(() => {
  jest.useFakeTimers();
  start({});
});
afterEach(() => jest.useRealTimers());

function start(environment: Record<string, string>): void {
  store = new SimulatedStore(2);
  pod = new FeedPod(store, environment);
  pod.versions.reached('crew', 1);
  form = new RecordedForm('f', 'object');
  ids = 0;
}

async function listen(userId: string, rooms: RoomName[] = [], of = form): Promise<RecordedConnection> {
  const connection = new RecordedConnection(`c${ids++}`, userId, of);
  pod.feed.begin(connection, new Map());
  await pod.rooms.join(connection.id, [userRoom(userId), ...rooms]);
  pod.feed.attach(connection, await pod.positions.read());
  return connection;
}

function commit(conversation: ConversationKey, sender = 'dan', version = 1): StoredMessage {
  return store.commit(conversation, sender, `m${ids++}`, conversation === CREW ? version : 0);
}

function receive(...messages: StoredMessage[]): void {
  for (const message of messages) pod.feed.receive({ kind: 'message', ...message });
}

const settle = (): Promise<void> => jest.advanceTimersByTimeAsync(10_000);
const repairs = (): unknown[] => store.askedFor(MessageStoreRequest.repair);

describe('a gap', () => {
  it('is pulled once for the pod, however many listen and however much comes meanwhile', async () => {
    const crew = await Promise.all(
      Array.from({ length: 50 }, (_, i) => listen(`u${i}`, [groupRoom('crew')])),
    );
    store.delay = () => 20;
    const messages = Array.from({ length: 20 }, () => commit(CREW));
    receive(messages[0]!);
    receive(...messages.slice(5, 12), ...messages.slice(15));
    await settle();
    for (const connection of crew) expect(connection.seqsOf(CREW)).toEqual(messages.map(({ seq }) => seq));
    expect(repairs()).toEqual([
      { conversation: CREW, from: 2, to: 5, afterPosition: 0 },
      { conversation: CREW, from: 13, to: 15, afterPosition: 0 },
    ]);
    expect(await pod.metric('repaired_total')).toBe(7);
    expect(await pod.metric('deliveries_total')).toBe(20 * 50);
  });

  it('before the first message here is pulled only from the listeners’ base on', async () => {
    const old = [commit(CREW), commit(CREW)];
    const connection = await listen('ada', [groupRoom('crew')]);
    const [missing, message] = [commit(CREW), commit(CREW)];
    receive(message);
    await settle();
    expect(connection.seqsOf(CREW)).toEqual([missing.seq, message.seq]);
    expect(repairs()).toEqual([{ conversation: CREW, from: 1, to: 3, afterPosition: old[1]!.position }]);
  });

  it('is no gap when nothing before the message is due to anybody', async () => {
    commit(CREW);
    const connection = await listen('ada', [groupRoom('crew')]);
    receive(commit(CREW));
    expect(connection.seqsOf(CREW)).toEqual([2]);
    expect(repairs()).toEqual([]);
  });

  it('stays closed in the face of a store that fails, and is closed when it is back', async () => {
    const connection = await listen('ada', [groupRoom('crew')]);
    store.fails = () => true;
    const messages = [commit(CREW), commit(CREW), commit(CREW)];
    receive(messages[0]!, messages[2]!);
    await settle();
    expect(connection.seqsOf(CREW)).toEqual([1]);
    const asked = repairs().length;
    expect(asked).toBeGreaterThan(2);
    expect(asked).toBeLessThan(15);
    store.fails = () => false;
    await settle();
    expect(connection.seqsOf(CREW)).toEqual([1, 2, 3]);
  });

  it('passes over what retention has removed', async () => {
    const connection = await listen('ada', [groupRoom('crew')]);
    const messages = [commit(CREW), commit(CREW), commit(CREW)];
    jest.spyOn(store, 'request').mockResolvedValueOnce({ entries: [{ seq: 2, message: null }] });
    receive(messages[0]!, messages[2]!);
    await settle();
    expect(connection.seqsOf(CREW)).toEqual([1, 3]);
  });

  it('holds no more than the buffer allows, and pulls what gave way', async () => {
    start({ FEED_BUFFER_MAX: '4' });
    const connection = await listen('ada', [groupRoom('crew')]);
    store.delay = () => 50;
    const messages = Array.from({ length: 30 }, () => commit(CREW));
    receive(messages[0]!, ...messages.slice(2));
    await settle();
    expect(connection.seqsOf(CREW)).toEqual(messages.map(({ seq }) => seq));
    expect(repairs()).toEqual([
      { conversation: CREW, from: 2, to: 2, afterPosition: 0 },
      { conversation: CREW, from: 7, to: 30, afterPosition: 0 },
    ]);
  });
});

describe('a connection that is attached later than another with a higher base', () => {
  /** Begun and read first, attached last: `missing` is due to it alone. */
  async function slowLogin(): Promise<{ attach: () => void; slow: RecordedConnection }> {
    const slow = new RecordedConnection(`c${ids++}`, 'ben', form);
    pod.feed.begin(slow, new Map());
    await pod.rooms.join(slow.id, [userRoom('ben'), groupRoom('crew')]);
    const base = await pod.positions.read();
    return { slow, attach: () => pod.feed.attach(slow, base) };
  }

  it('is given what was lost before the first message of both', async () => {
    const { slow, attach } = await slowLogin();
    commit(CREW);
    const quick = await listen('ada', [groupRoom('crew')]);
    receive(commit(CREW));
    attach();
    await settle();
    expect(quick.seqsOf(CREW)).toEqual([2]);
    expect(slow.seqsOf(CREW)).toEqual([1, 2]);
  });

  it.each([
    ['between two checks', 0],
    ['while one is under way', 30],
  ])('is given what was lost in silence, attached %s', async (_when, delay) => {
    const { slow, attach } = await slowLogin();
    commit(CREW);
    await listen('ada', [groupRoom('crew')]);
    store.delay = () => delay;
    void pod.check.check();
    await jest.advanceTimersByTimeAsync(delay);
    attach();
    await settle();
    void pod.check.check();
    await settle();
    expect(slow.seqsOf(CREW)).toEqual([1]);
  });
});

describe('frames', () => {
  it('are built once for each wire form and face, whatever the number of members', async () => {
    const other = new RecordedForm('g', 'bytes');
    for (let i = 0; i < 10; i++) {
      await listen('ada', [groupRoom('crew')]);
      await listen(`u${i}`, [groupRoom('crew')]);
      await listen(`v${i}`, [groupRoom('crew')], other);
    }
    receive(commit(CREW, 'ada'));
    expect(form.built).toBe(2);
    expect(other.built).toBe(1);
    expect(await pod.metric('deliveries_total')).toBe(30);
  });

  it('that cannot be written close that connection and keep nobody else from theirs', async () => {
    const broken = await listen('ada', [groupRoom('crew')]);
    const sound = await listen('ben', [groupRoom('crew')]);
    broken.write = () => {
      throw new Error('this connection fails');
    };
    receive(commit(CREW));
    expect(broken.closedFor).toBe('INTERNAL');
    expect(sound.seqsOf(CREW)).toEqual([1]);
  });
});

describe('a private message', () => {
  it('comes twice and is shown once to each connection of both users', async () => {
    const connections = [await listen('ada'), await listen('ada'), await listen('ben')];
    const message = commit(PAIR, 'ada');
    receive(message, message);
    expect(connections.map(({ shown }) => shown.map(({ isItMe }) => isItMe))).toEqual([
      [true],
      [true],
      [false],
    ]);
    expect(await pod.metric('duplicates_total')).toBe(1);
  });
});

describe('an own message', () => {
  it('is shown by its answer alone, whichever comes first', async () => {
    const sender = await listen('ada');
    const device = await listen('ada');
    pod.feed.submitting(sender, 'm-first');
    pod.feed.submitting(sender, 'm-second');
    const first = store.commit(PAIR, 'ada', 'm-first');
    const second = store.commit(PAIR, 'ada', 'm-second');
    receive(first);
    pod.feed.answered(sender, 'm-first', first);
    pod.feed.answered(sender, 'm-second', second);
    receive(second);
    expect(sender.seqsOf(PAIR)).toEqual([]);
    expect(device.seqsOf(PAIR)).toEqual([1, 2]);
  });

  it('without an answer is shown by its copy, before anything later', async () => {
    const sender = await listen('ada');
    pod.feed.submitting(sender, 'mine');
    receive(store.commit(PAIR, 'ada', 'mine'), commit(PAIR, 'ben'), commit(PAIR, 'ben'));
    expect(sender.seqsOf(PAIR)).toEqual([]);
    pod.feed.answered(sender, 'mine', null);
    expect(sender.seqsOf(PAIR)).toEqual([1, 2, 3]);
  });

  it('whose copy was lost and found by a check is not shown by it either', async () => {
    const sender = await listen('ada');
    store.delay = () => 50;
    pod.feed.submitting(sender, 'mine');
    void pod.check.check();
    await jest.advanceTimersByTimeAsync(60);
    // Committed after the store was asked: only the next check finds it.
    const message = store.commit(PAIR, 'ada', 'mine');
    pod.feed.answered(sender, 'mine', message);
    await settle();
    void pod.check.check();
    await settle();
    receive(commit(PAIR, 'ben'));
    await settle();
    expect(sender.seqsOf(PAIR)).toEqual([2]);
  });

  it('answered while its copy waits behind another is not shown by it, whatever was checked meanwhile', async () => {
    const sender = await listen('ada');
    pod.feed.submitting(sender, 'first');
    pod.feed.submitting(sender, 'second');
    const first = store.commit(PAIR, 'ada', 'first');
    const second = store.commit(PAIR, 'ada', 'second');
    // The answer of the first was lost and is asked for again.
    pod.feed.answered(sender, 'second', second);
    receive(first, second);
    void pod.check.check();
    await settle();
    pod.feed.answered(sender, 'first', first);
    expect(sender.seqsOf(PAIR)).toEqual([]);
  });

  it('that was retried is shown by the answer that names its first packet', async () => {
    const sender = await listen('ada');
    pod.feed.submitting(sender, 'first');
    pod.feed.submitting(sender, 'retry');
    const message = store.commit(PAIR, 'ada', 'first');
    pod.feed.answered(sender, 'retry', message);
    receive(message, commit(PAIR, 'ben'));
    expect(sender.seqsOf(PAIR)).toEqual([2]);
    pod.feed.answered(sender, 'first', null);
    expect(sender.seqsOf(PAIR)).toEqual([2]);
  });

  it('waiting for its answer holds up more than the buffer without losing any', async () => {
    start({ FEED_BUFFER_MAX: '3' });
    const sender = await listen('ada');
    pod.feed.submitting(sender, 'mine');
    receive(store.commit(PAIR, 'ada', 'mine'), ...Array.from({ length: 9 }, () => commit(PAIR, 'ben')));
    pod.feed.answered(sender, 'mine', { conversation: PAIR, seq: 1, messageId: 'mine' });
    await settle();
    expect(sender.seqsOf(PAIR)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });
});

describe('a message of a later membership version', () => {
  it('waits with all behind it until the pod has caught up', async () => {
    const stays = await listen('ada', [groupRoom('crew')]);
    const leaves = await listen('ben', [groupRoom('crew')]);
    receive(commit(CREW, 'dan', 1), commit(CREW, 'dan', 2), commit(CREW, 'dan', 2));
    expect(stays.seqsOf(CREW)).toEqual([1]);
    pod.rooms.leave(leaves.id, groupRoom('crew'));
    pod.feed.leaveGroup(leaves, 'crew');
    pod.versions.reached('crew', 2);
    expect(stays.seqsOf(CREW)).toEqual([1, 2, 3]);
    expect(leaves.seqsOf(CREW)).toEqual([1]);
    expect(await pod.metric('held_total')).toBe(1);
  });

  it('asks for the members when the version does not come by itself', async () => {
    const connection = await listen('ada', [groupRoom('crew')]);
    pod.versions.onLag((groupId) => pod.versions.reached(groupId, 2));
    receive(commit(CREW, 'dan', 2));
    await jest.advanceTimersByTimeAsync(999);
    expect(connection.seqsOf(CREW)).toEqual([]);
    await jest.advanceTimersByTimeAsync(2);
    expect(connection.seqsOf(CREW)).toEqual([1]);
  });

  it('hears what came while the process stood still before it asks for the members', async () => {
    const connection = await listen('ada', [groupRoom('crew')]);
    const lags: string[] = [];
    pod.versions.onLag((groupId) => lags.push(groupId));
    jest.useRealTimers();
    const server = createServer((socket) => socket.on('data', () => pod.versions.reached('crew', 2)));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const stream = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(stream, 'connect');
    receive(commit(CREW, 'dan', 2));
    stream.write('version 2');
    for (const end = performance.now() + 1100; performance.now() < end;);
    await once(stream.end(), 'close');
    server.close();
    expect(connection.seqsOf(CREW)).toEqual([1]);
    expect(lags).toEqual([]);
  });
});

describe('what is pulled from the store', () => {
  it('waits for its membership version as well', async () => {
    const connection = await listen('ada', [groupRoom('crew')]);
    const messages = [commit(CREW), commit(CREW, 'dan', 2), commit(CREW, 'dan', 2)];
    receive(messages[0]!, messages[2]!);
    await jest.advanceTimersByTimeAsync(500);
    expect(connection.seqsOf(CREW)).toEqual([1]);
    pod.versions.reached('crew', 2);
    await settle();
    expect(connection.seqsOf(CREW)).toEqual([1, 2, 3]);
  });

  it('for a replay waits for its membership version, and what is live waits behind it', async () => {
    const missed = [commit(CREW), commit(CREW, 'dan', 2)];
    const connection = new RecordedConnection('c', 'ada', form);
    pod.feed.begin(connection, new Map());
    await pod.rooms.join('c', [groupRoom('crew')]);
    pod.feed.attach(connection, store.committed, { replaying: [CREW], observer: null });
    receive(commit(CREW));
    pod.feed.replay(connection, CREW, missed);
    expect(connection.seqsOf(CREW)).toEqual([1]);
    pod.versions.reached('crew', 2);
    expect(connection.seqsOf(CREW)).toEqual([1, 2, 3]);
  });
});

describe('silence', () => {
  it('is broken by a check: the only message of a conversation nobody here knew', async () => {
    const connection = await listen('ada');
    commit(PAIR, 'ben');
    commit(privateConversation('ben', 'cem'), 'ben');
    void pod.check.check();
    await settle();
    expect(connection.shown.map(({ seq }) => seq)).toEqual([1]);
    expect(repairs()).toHaveLength(1);
  });

  it('is no silence while a broadcast is on its way', async () => {
    const connection = await listen('ada');
    const message = commit(PAIR, 'ben');
    setTimeout(() => receive(message), 100);
    void pod.check.check();
    await settle();
    expect(connection.shown.map(({ seq }) => seq)).toEqual([1]);
    expect(repairs()).toEqual([]);
  });

  it('is checked for again and again, from where the last check ended, and not without connections', async () => {
    pod.check.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(store.asked).toEqual([]);
    const connection = await listen('ada');
    const message = commit(PAIR, 'ben');
    await jest.advanceTimersByTimeAsync(20_000);
    expect(connection.shown).toHaveLength(1);
    const before = store.askedFor(MessageStoreRequest.touched).length;
    await jest.advanceTimersByTimeAsync(15_000);
    const later = store.askedFor(MessageStoreRequest.touched) as { after: Positions }[];
    expect(later.length).toBe(before + 1);
    expect(later.at(-1)!.after[message.partition]).toBe(message.position);
    pod.check.onApplicationShutdown();
  });

  it('lets the pod forget conversations that are settled, and nobody is shown them again', async () => {
    const connection = await listen('ada', [groupRoom('crew')]);
    const messages = [commit(CREW), commit(CREW), commit(PAIR, 'ben')];
    receive(...messages);
    expect(await pod.metric('conversations')).toBe(2);
    await pod.check.check();
    expect(await pod.metric('conversations')).toBe(0);
    const next = commit(CREW);
    receive(messages[1]!, next);
    expect(connection.seqsOf(CREW)).toEqual([1, 2, 3]);
    expect(repairs()).toEqual([]);
  });
});

describe('after a long silence', () => {
  /** Private conversations of `ada`, each with one message that no broadcast told of. */
  function missed(conversations: number): ConversationKey[] {
    const keys = Array.from({ length: conversations }, (_, i) => privateConversation('ada', `u${i}`));
    for (const key of keys) commit(key);
    return keys;
  }

  /** How many repairs the store has before it at most, from now on. */
  function repairsAtOnce(): { most: number } {
    const request = store.request.bind(store);
    const seen = { now: 0, most: 0 };
    jest.spyOn(store, 'request').mockImplementation(async (pattern, payload) => {
      if (pattern.name !== MessageStoreRequest.repair.name) return request(pattern, payload);
      seen.most = Math.max(seen.most, ++seen.now);
      try {
        return await request(pattern, payload);
      } finally {
        seen.now--;
      }
    });
    return seen;
  }

  it('the store is asked for few of thousands of conversations at once, and for all in the end', async () => {
    const connection = await listen('ada');
    const keys = missed(2000);
    store.delay = () => 20;
    const seen = repairsAtOnce();
    void pod.check.check();
    await settle();
    expect(connection.shown).toHaveLength(keys.length);
    expect(repairs()).toHaveLength(keys.length);
    expect(seen.most).toBe(16);
  });

  it('lanes that were held up as well are pulled a few at once', async () => {
    start({ FEED_BUFFER_MAX: '1' });
    const sender = await listen('ada');
    const keys = Array.from({ length: 50 }, (_, i) => privateConversation('ada', `u${i}`));
    for (const [i, key] of keys.entries()) {
      pod.feed.submitting(sender, `mine${i}`);
      receive(store.commit(key, 'ada', `mine${i}`), commit(key), commit(key));
    }
    store.delay = () => 20;
    const seen = repairsAtOnce();
    for (const i of keys.keys()) pod.feed.answered(sender, `mine${i}`, null);
    await settle();
    for (const key of keys) expect(sender.seqsOf(key)).toEqual([1, 2, 3]);
    expect(seen.most).toBe(16);
  });

  it('the store is not asked for conversations whose listeners left while they waited in line', async () => {
    const connection = await listen('ada');
    missed(100);
    store.delay = () => 20;
    void pod.check.check();
    await jest.advanceTimersByTimeAsync(320);
    const asked = repairs().length;
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThan(50);
    pod.rooms.drop(connection.id);
    pod.feed.detach(connection, [userRoom('ada')]);
    await settle();
    expect(repairs()).toHaveLength(asked);
  });

  it('a conversation of which the store tells nothing does not keep the others waiting', async () => {
    const connection = await listen('ada');
    const keys = missed(40);
    const request = store.request.bind(store);
    const broken = new Set<string>(keys.slice(0, 20));
    jest.spyOn(store, 'request').mockImplementation(async (pattern, payload) => {
      const { conversation } = payload as { conversation?: string };
      if (conversation !== undefined && broken.has(conversation)) throw new Error('unreadable');
      return request(pattern, payload);
    });
    void pod.check.check();
    await settle();
    expect(connection.shown).toHaveLength(20);
  });
});

describe('a store that is behind the one that told of a message', () => {
  it('is asked again for the only message of a conversation, which is not taken for one that nobody is due', async () => {
    const connection = await listen('ada');
    commit(PAIR, 'ben');
    store.lag = () => 1;
    void pod.check.check();
    await settle();
    expect(connection.shown).toEqual([]);
    const asked = repairs().length;
    expect(asked).toBeGreaterThan(2);
    expect(asked).toBeLessThan(15);
    store.lag = () => 0;
    await settle();
    expect(connection.seqsOf(PAIR)).toEqual([1]);
    await pod.check.check();
    expect(await pod.metric('conversations')).toBe(0);
  });

  it('is asked again after a pause, and what it brings meanwhile goes out', async () => {
    const connection = await listen('ada', [groupRoom('crew')]);
    const messages = Array.from({ length: 6 }, () => commit(CREW));
    store.lag = () => 3;
    receive(messages.at(-1)!);
    await jest.advanceTimersByTimeAsync(0);
    expect(connection.seqsOf(CREW)).toEqual([1, 2, 3]);
    expect(repairs()).toHaveLength(1);
    store.lag = () => 0;
    await settle();
    expect(connection.seqsOf(CREW)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(repairs()).toHaveLength(2);
  });

  it('is asked again after a pause for a connection that was held up', async () => {
    start({ FEED_BUFFER_MAX: '1' });
    const sender = await listen('ada');
    pod.feed.submitting(sender, 'mine');
    receive(store.commit(PAIR, 'ada', 'mine'), ...Array.from({ length: 5 }, () => commit(PAIR, 'ben')));
    store.lag = () => 2;
    pod.feed.answered(sender, 'mine', null);
    await jest.advanceTimersByTimeAsync(0);
    expect(sender.seqsOf(PAIR)).toEqual([1, 2, 3, 4]);
    expect(repairs()).toHaveLength(1);
    store.lag = () => 0;
    await settle();
    expect(sender.seqsOf(PAIR)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(repairs()).toHaveLength(2);
  });

  it('that is of the version before and tells no head is believed', async () => {
    const connection = await listen('ada', [groupRoom('crew')]);
    const messages = [commit(CREW), commit(CREW)];
    jest.spyOn(store, 'request').mockResolvedValueOnce({ entries: [] });
    receive(messages[1]!);
    await settle();
    expect(connection.seqsOf(CREW)).toEqual([2]);
    expect(repairs()).toEqual([]);
  });
});

describe('positions', () => {
  it('are read once for all who ask while a read is under way, and never earlier than asked for', async () => {
    store.delay = () => 10;
    const first = pod.positions.read();
    await jest.advanceTimersByTimeAsync(15);
    const { partition, position } = commit(CREW);
    const later = [pod.positions.read(), pod.positions.read(), pod.positions.read()];
    await settle();
    expect((await first)[partition]).toBe(0);
    for (const read of later) expect((await read)[partition]).toBe(position);
    expect(store.askedFor(MessageStoreRequest.positions)).toHaveLength(2);
  });
});
