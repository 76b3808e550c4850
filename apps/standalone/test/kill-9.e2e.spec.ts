import {
  type ChatClient,
  type Entitlement,
  type Form,
  groupName,
  judge,
  messageOf,
  type Message,
  type Packet,
  privateName,
  SendRecord,
  Starling,
  type View,
  ViewRecorder,
} from '@starling/testing';

/**
 * The process is killed in the middle of its work, again and again on the same data. Clients keep what they have
 * no answer for and send it again, with the same id, to the process that comes after.
 */
const SEEDS = 20;
const SENDERS = 6;
const GROUPS = ['one', 'two', 'three'];
/** Messages that a sender has under way at once. */
const UNDER_WAY = 8;
const FORMS: Form[] = ['object', 'frame', 'bytes'];

const starling = new Starling({ env: { PACKETS_PER_SECOND: '100000', PACKETS_BURST: '100000' } });

afterAll(() => starling.dispose());

const USERS = Array.from({ length: SENDERS }, (_, i) => `sender-${i}`);
const CONVERSATIONS = [...GROUPS.map(groupName), privateName(USERS[0]!, USERS[1]!)];

it(
  `keeps what it acknowledged, once, and counts on without a hole, over ${SEEDS} kills`,
  async () => {
    const records: SendRecord[] = [];
    const views: View[] = [];
    await starling.start();
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = randomOf(seed);
      const heads = await headsOf(await starling.login(USERS[0]!), await starling.login(USERS[1]!));
      const clients = await Promise.all(USERS.map((user, i) => starling.login(user, { form: FORMS[i % 3]! })));
      for (const client of clients) for (const group of GROUPS) await client.join(group);
      const recorders = clients.map((client) => new ViewRecorder(client));

      // The kill comes after a number of answers, so at any point of a batch, a commit or a delivery.
      const killAfter = Math.floor(random() * 400);
      let answers = 0;
      let killing: Promise<unknown> | null = null;
      const answered = () => {
        answers += 1;
        if (answers > killAfter) killing ??= starling.kill9();
      };
      await Promise.all(clients.map((client, i) => load(client, seed, i, records, answered)));
      await killing;
      for (const recorder of recorders) views.push(recorder.view(cutOff(heads)));
      await starling.start();
    }

    const clients = await Promise.all(USERS.map((user) => starling.login(user)));
    const unsettled = records.filter(({ acknowledged }) => acknowledged === null);
    for (const record of unsettled) {
      const sender = clients[USERS.indexOf(record.packet['fromUserId'])]!;
      const answer = await sender.request(record.packet);
      if (!record.answered(answer)) throw sender.error(`was refused a retry: ${JSON.stringify(answer)}`);
    }
    const stored = await storedBy(clients[0]!);
    const verdicts = judge({ sent: records.map(({ sent }) => sent), stored, views });
    expect(verdicts).toEqual([]);
    // Or the test would have shown nothing.
    expect(records.length).toBeGreaterThan(SEEDS * 50);
    expect(unsettled.length).toBeGreaterThan(SEEDS);
  },
  240_000,
);

/** Sends as fast as answers come, until the connection is cut; each message stays recorded with its last answer. */
async function load(
  client: ChatClient,
  seed: number,
  index: number,
  records: SendRecord[],
  answered: () => void,
): Promise<void> {
  const random = randomOf(seed * 1000 + index);
  let counter = 0;
  const one = async () => {
    while (!client.closed) {
      const record = new SendRecord(nextMessage(client, `seed ${seed}, message ${counter++} of ${index}`, random));
      records.push(record);
      const answer = await client.request(record.packet).catch(() => null);
      if (!answer) return;
      if (!record.answered(answer)) throw client.error(`was refused: ${JSON.stringify(answer)}`);
      answered();
      // A client that has lost an answer sends again; here some do without having lost it.
      if (random() < 0.1) void client.request(record.packet).then((again) => record.answered(again), () => undefined);
    }
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, one));
}

function nextMessage(client: ChatClient, content: string, random: () => number): Packet {
  const pick = Math.floor(random() * (GROUPS.length + 1));
  if (pick < GROUPS.length) return client.message(GROUPS[pick]!, 1, content);
  if (client.userId === USERS[0]) return client.message(USERS[1]!, 0, content);
  if (client.userId === USERS[1]) return client.message(USERS[0]!, 0, content);
  return client.message(GROUPS[0]!, 1, content);
}

/** A connection has a right to what comes after its login, and may miss what its end cut off. */
function cutOff(heads: ReadonlyMap<string, number>): Map<string, Entitlement> {
  return new Map([...heads].map(([conversation]) => [conversation, { after: 0, upTo: null, complete: false }]));
}

async function headsOf(first: ChatClient, second: ChatClient): Promise<Map<string, number>> {
  for (const group of GROUPS) await first.join(group);
  const heads = new Map<string, number>();
  for (const group of GROUPS) heads.set(groupName(group), (await first.history(1, group))['head']);
  heads.set(privateName(first.userId, second.userId), (await first.history(0, second.userId))['head']);
  return heads;
}

async function storedBy(reader: ChatClient): Promise<Map<string, Message[]>> {
  const pages = await Promise.all([
    ...GROUPS.map((group) => reader.wholeHistory(1, group)),
    reader.wholeHistory(0, USERS[1]!),
  ]);
  return new Map(pages.map((messages, i) => [CONVERSATIONS[i]!, messages.map(messageOf)]));
}

/** Mulberry32: the same numbers for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
