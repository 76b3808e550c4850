import { ErrorCode } from '@starling/protocol';
import {
  accepted,
  type ChatClient,
  type ConnectOptions,
  type Entitlement,
  groupName,
  judge,
  type Message,
  messageOf,
  privateName,
  randomOf,
  SendRecord,
  show,
  TEST_CIPHER,
  TEST_CIPHER_ENV,
  until,
  useStarling,
  ViewRecorder,
} from '@starling/testing';

const USERS = 180;
/** Of the first users; so there are 200 connections. */
const SECOND_DEVICES = 20;
const GROUP_SIZES = [2, 2, 2, 3, 3, 4, 5, 5, 6, 8, 8, 10, 12, 15, 18, 20, 25, 30, 40, 50, 60, 80, 100, 150];
/** One message in so many is private, to the next user. */
const PRIVATE_EVERY = 10;
/** Messages that a connection waits for at once. */
const UNDER_WAY = 8;

const FORMS: ConnectOptions[] = [
  { form: 'object' },
  { form: 'bytes' },
  { form: 'frame' },
  { form: 'bytes', cipher: TEST_CIPHER },
  { form: 'object', acks: false },
];

const starling = useStarling({
  env: {
    ...TEST_CIPHER_ENV,
    PACKETS_PER_SECOND: '100000',
    PACKETS_BURST: '100000',
    // On a busy machine this test's own process may not read or answer pings for a while.
    SILENCE_TIMEOUT_MS: '180000',
    LOGIN_TIMEOUT_MS: '60000',
    SUBMIT_DEADLINE_MS: '60000',
    MAX_OUTBOUND_BYTES: String(64 << 20),
  },
});

/** A store of processes, all of them on the test's machine, would take minutes for as many as one process does. */
const MESSAGES = starling.profile === 'cluster' ? 5_000 : 20_000;

it('each member sees each message once and in order, and nobody else sees any', async () => {
  const random = randomOf(1);
  const users = Array.from({ length: USERS }, (_, i) => `user-${i}`);
  const groups = new Map(
    GROUP_SIZES.map((size, i) => [`group-${i}-of-${size}`, sample(users, size, random)]),
  );
  const groupsOf = new Map(
    users.map((user) => [
      user,
      [...groups].filter(([, members]) => members.has(user)).map(([group]) => group),
    ]),
  );
  const clients = await connectAll([...users, ...users.slice(0, SECOND_DEVICES)]);
  const recorders = clients.map((client) => new ViewRecorder(client));
  const fill = async (group: string, members: ReadonlySet<string>) => {
    for (const user of members) accepted(await clients[users.indexOf(user)]!.join(group));
  };
  await Promise.all([...groups].map(([group, members]) => fill(group, members)));
  // A join is in force for who joined; a moment later for the same user's connections at other gateways.
  const knowsAll = async (client: ChatClient) => {
    for (const group of groupsOf.get(client.userId)!) {
      const mayRead = async () => (await client.history(1, group))['success'] === true;
      await until(`${client.userId}'s other device to be a member of ${group}`, mayRead);
    }
  };
  await Promise.all(clients.slice(USERS).map(knowsAll));

  const records: SendRecord[] = [];
  const names = [...groups.keys()];
  const outboxes = new Map<ChatClient, SendRecord[]>(clients.map((client) => [client, []]));
  for (let i = 0; i < MESSAGES; i++) {
    const content = `message ${i}, ${i % 7 === 0 ? '😀' : 'plain'}`;
    // Each group has its share of the messages, so that small ones are as busy as large ones.
    const group = names[i % names.length]!;
    const isPrivate = i % PRIVATE_EVERY === 0;
    const sender = one(
      isPrivate ? clients : clients.filter(({ userId }) => groups.get(group)!.has(userId)),
      random,
    );
    const next = users[(users.indexOf(sender.userId) + 1) % USERS]!;
    const packet = isPrivate ? sender.message(next, 0, content) : sender.message(group, 1, content);
    const record = new SendRecord(packet);
    records.push(record);
    outboxes.get(sender)!.push(record);
  }
  await Promise.all([...outboxes].map(([sender, outbox]) => sendAll(sender, outbox)));
  expect(records).toHaveLength(MESSAGES);

  const heads = new Map<string, number>();
  for (const { acknowledged, sent } of records) {
    heads.set(sent.conversation, Math.max(heads.get(sent.conversation) ?? 0, acknowledged!.seq));
  }
  const rightsOf = (user: string): Map<string, Entitlement> => {
    const at = users.indexOf(user);
    const conversations = [
      ...groupsOf.get(user)!.map(groupName),
      privateName(user, users[(at + 1) % USERS]!),
      privateName(user, users[(at + USERS - 1) % USERS]!),
    ];
    return new Map(conversations.map((name) => [name, { after: 0, upTo: null, complete: true }]));
  };
  for (const recorder of recorders) {
    const due = [...rightsOf(recorder.client.userId).keys()].reduce(
      (sum, name) => sum + (heads.get(name) ?? 0),
      0,
    );
    await until(`all of ${recorder.client.userId}'s messages`, () => recorder.shown.length >= due, 60_000);
  }
  // Whatever was sent too much has arrived as well, once this is answered.
  await Promise.all(clients.map((client) => client.heartbeat()));

  const verdicts = judge({
    sent: records.map(({ sent }) => sent),
    stored: await storedFor(clients, groups, users),
    views: recorders.map((recorder) => recorder.view(rightsOf(recorder.client.userId))),
  });
  expect(verdicts).toEqual([]);
}, 240_000);

async function connectAll(users: string[]): Promise<ChatClient[]> {
  const clients: ChatClient[] = [];
  for (let i = 0; i < users.length; i += 20) {
    const some = users.slice(i, i + 20);
    clients.push(
      ...(await Promise.all(some.map((user, j) => starling.login(user, FORMS[(i + j) % FORMS.length])))),
    );
  }
  return clients;
}

async function sendAll(sender: ChatClient, outbox: SendRecord[]): Promise<void> {
  const oneAtATime = async () => {
    for (let record = outbox.shift(); record; record = outbox.shift()) {
      for (;;) {
        const answer = await sender.request(record.packet, 60_000);
        if (record.answered(answer)) break;
        // A gateway that hears of memberships late, on a busy machine, refuses for a moment and says so.
        if (answer['errorCode'] !== ErrorCode.UNAVAILABLE.code)
          throw sender.error(`was refused: ${show(answer)}`);
        await sender.heartbeat();
      }
    }
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, oneAtATime));
}

function one<T>(from: readonly T[], random: () => number): T {
  return from[Math.floor(random() * from.length)]!;
}

function sample(from: readonly string[], count: number, random: () => number): Set<string> {
  const chosen = new Set<string>();
  while (chosen.size < count) chosen.add(one(from, random));
  return chosen;
}

async function storedFor(
  clients: ChatClient[],
  groups: ReadonlyMap<string, ReadonlySet<string>>,
  users: string[],
): Promise<Map<string, Message[]>> {
  const stored = new Map<string, Message[]>();
  for (const client of clients) client.onPacket = null;
  for (const [group, members] of groups) {
    const member = clients[users.indexOf([...members][0]!)]!;
    stored.set(groupName(group), (await member.wholeHistory(1, group)).map(messageOf));
  }
  for (let i = 0; i < users.length; i++) {
    const next = users[(i + 1) % users.length]!;
    stored.set(privateName(users[i]!, next), (await clients[i]!.wholeHistory(0, next)).map(messageOf));
  }
  return stored;
}
