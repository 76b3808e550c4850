import {
  type ChatClient,
  type Entitlement,
  type Form,
  groupName,
  judge,
  type Message,
  messageOf,
  type Packet,
  privateName,
  randomOf,
  SendRecord,
  show,
  Starling,
  type View,
  ViewRecorder,
} from '@starling/testing';

/**
 * The process is killed in the middle of its work, again and again on the same data. Clients keep what they have
 * no answer for and send it again, with the same id, to the process that comes after.
 */
const SEEDS = 20;
const GROUPS = ['one', 'two', 'three'];
const USERS = ['ann', 'ben', 'cem', 'dot', 'eve', 'fay'];
/** Ann and Ben also write to each other. */
const PRIVATE = privateName('ann', 'ben');
/** Messages that a sender has under way at once. */
const UNDER_WAY = 8;
const FORMS: Form[] = ['object', 'frame', 'bytes'];

const starling = new Starling({ env: { PACKETS_PER_SECOND: '100000', PACKETS_BURST: '100000' } });

afterAll(() => starling.dispose());

it(`keeps what it acknowledged, once, and counts on without a hole, over ${SEEDS} kills`, async () => {
  const records: SendRecord[] = [];
  const views: View[] = [];
  let retries = 0;
  await starling.start();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = randomOf(seed);
    const clients = await everybody();
    const recorders = clients.map((client) => new ViewRecorder(client));
    retries += await retryUnsettled(records);

    // The kill comes after a number of answers, so at any point of a batch, a commit or a delivery.
    const killAfter = Math.floor(random() * 400);
    let answers = 0;
    const kills: Promise<unknown>[] = [];
    const answered = () => {
      answers += 1;
      if (answers > killAfter && kills.length === 0) kills.push(starling.kill9());
    };
    await Promise.all(clients.map((client) => load(client, seed, records, answered)));
    await Promise.all(kills);
    for (const recorder of recorders) views.push(recorder.view(rightsOf(recorder.client)));
    await starling.start();
  }

  const clients = await everybody();
  retries += await retryUnsettled(records);
  const stored = await storedFor(clients[0]!);
  expect(judge({ sent: records.map(({ sent }) => sent), stored, views })).toEqual([]);
  // Or the test would have shown little.
  expect(records.length).toBeGreaterThan(SEEDS * 50);
  expect(retries).toBeGreaterThan(SEEDS);
}, 240_000);

async function everybody(): Promise<ChatClient[]> {
  return Promise.all(
    USERS.map(async (user, i) => {
      const client = await starling.login(user, { form: FORMS[i % FORMS.length]! });
      for (const group of GROUPS) await client.join(group);
      return client;
    }),
  );
}

/** Sends as fast as answers come, until the connection is cut; each message stays recorded with its first answer. */
async function load(
  client: ChatClient,
  seed: number,
  records: SendRecord[],
  answered: () => void,
): Promise<void> {
  const random = randomOf(seed * 1000 + USERS.indexOf(client.userId));
  let counter = 0;
  const oneAtATime = async () => {
    while (!client.closed) {
      const record = new SendRecord(nextMessage(client, `${seed}: message ${counter++}`, random));
      records.push(record);
      // Some are sent twice at once, as by a client that is impatient.
      if (random() < 0.1) client.transmit(record.packet);
      const answer = await client.request(record.packet).catch(() => null);
      if (!answer) return;
      if (!record.answered(answer)) throw client.error(`was refused: ${show(answer)}`);
      answered();
    }
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, oneAtATime));
}

/**
 * On connections of their own, whose acknowledgement callbacks tell an answer from a copy: byte clients are replayed what
 * they missed meanwhile, and that may be the message that is being retried.
 */
async function retryUnsettled(records: SendRecord[]): Promise<number> {
  const unsettled = records.filter(({ acknowledged }) => acknowledged === null);
  const senders = new Map<string, ChatClient>();
  for (const user of USERS) senders.set(user, await starling.login(user));
  for (const record of unsettled) {
    const sender = senders.get(record.packet['fromUserId'])!;
    const answer = await sender.request(record.packet);
    if (!record.answered(answer)) throw sender.error(`was refused a retry: ${show(answer)}`);
  }
  for (const sender of senders.values()) await sender.close();
  return unsettled.length;
}

function nextMessage(client: ChatClient, content: string, random: () => number): Packet {
  const pick = Math.floor(random() * (GROUPS.length + 1));
  const group = GROUPS[pick];
  if (group !== undefined) return client.message(group, 1, content);
  if (client.userId === 'ann') return client.message('ben', 0, content);
  if (client.userId === 'ben') return client.message('ann', 0, content);
  return client.message(GROUPS[0]!, 1, content);
}

/** A killed process owes its connections nothing more, but nothing foreign, double or out of order either. */
function rightsOf({ userId }: ChatClient): Map<string, Entitlement> {
  const conversations = GROUPS.map(groupName);
  if (userId === 'ann' || userId === 'ben') conversations.push(PRIVATE);
  return new Map(conversations.map((name) => [name, { after: 0, upTo: null, complete: false }]));
}

async function storedFor(ann: ChatClient): Promise<Map<string, Message[]>> {
  const stored = new Map<string, Message[]>();
  for (const group of GROUPS) stored.set(groupName(group), (await ann.wholeHistory(1, group)).map(messageOf));
  stored.set(PRIVATE, (await ann.wholeHistory(0, 'ben')).map(messageOf));
  return stored;
}
