import {
  accepted,
  type ChatClient,
  type ConnectOptions,
  fence,
  metricAt,
  Starling,
  unique,
} from '@starling/testing';

/** Nothing but messages happens while they are counted. */
const QUIET = { FEED_CHECK_MS: '600000', SESSION_LEASE_MS: '600000', REPLAY_LEASE_MS: '0' };
const MESSAGES = 40;
/** What messages cause once, however many they are: the first look at a group or a conversation. */
const ONCE = 6;

const starling = new Starling({
  profile: 'cluster',
  env: { ...QUIET, PACKETS_PER_SECOND: '10000', PACKETS_BURST: '10000' },
  cluster: { gateways: 3 },
});
beforeAll(() => starling.start(), 90_000);
afterEach(() => starling.closeClients());
afterAll(() => starling.dispose(), 60_000);

function urlOf(app: string, index = 0): string {
  return `http://127.0.0.1:${starling.cluster.of(app)[index]!.port}`;
}

interface Costs {
  /** By gateway. */
  readonly submits: number[];
  readonly asks: number[];
  readonly roomEvents: number[];
  readonly objectFrames: number[];
  readonly byteFrames: number[];
  /** Of the message-store. */
  readonly replies: number;
  readonly stored: number;
  readonly commits: number;
  readonly duplicateLookUps: number;
  readonly headLookUps: number;
  readonly emits: number;
  /** Of all processes to one another. */
  readonly requests: number;
}

async function costs(): Promise<Costs> {
  const atGateways = (name: string, labels?: Record<string, string>) =>
    Promise.all([0, 1, 2].map((index) => metricAt(urlOf('gateway', index), name, labels)));
  const atStore = (name: string, labels?: Record<string, string>) =>
    metricAt(urlOf('message-store'), name, labels);
  const requests = await Promise.all(
    starling.cluster.services.map(({ port }) =>
      metricAt(`http://127.0.0.1:${port}`, 'starling_bus_requests_total'),
    ),
  );
  return {
    submits: await atGateways('starling_bus_publishes_total', { what: 'submit' }),
    asks: await atGateways('starling_bus_publishes_total', { what: 'ask' }),
    roomEvents: await atGateways('starling_room_events_received_total'),
    objectFrames: await atGateways('starling_delivery_encodes_total', { form: 'object' }),
    byteFrames: await atGateways('starling_delivery_encodes_total', { form: 'bytes' }),
    replies: await atStore('starling_bus_publishes_total', { what: 'reply' }),
    stored: await atStore('starling_store_messages_total'),
    commits: await atStore('starling_store_calls_total', { call: 'commit' }),
    duplicateLookUps: await atStore('starling_store_calls_total', { call: 'duplicates' }),
    headLookUps: await atStore('starling_store_calls_total', { call: 'heads' }),
    emits: await atStore('starling_room_emits_total', { result: 'published' }),
    requests: requests.reduce((sum, count) => sum + count, 0),
  };
}

function difference(after: Costs, before: Costs): Costs {
  const minus = (a: number | number[], b: number | number[]): number | number[] =>
    Array.isArray(a) ? a.map((value, i) => value - (b as number[])[i]!) : a - (b as number);
  const entries = Object.keys(after).map((key) => {
    const name = key as keyof Costs;
    return [name, minus(after[name], before[name])];
  });
  return Object.fromEntries(entries);
}

/** What `send` costs once everybody has been shown the last of it. */
async function costOf(send: () => Promise<void>): Promise<Costs> {
  const before = await costs();
  await send();
  return difference(await costs(), before);
}

function login(name: string, gateway: number, form: ConnectOptions['form'] = 'object'): Promise<ChatClient> {
  return starling.login(unique(name), { gateway, form });
}

async function sendOneByOne(sender: ChatClient, group: string): Promise<void> {
  for (let i = 0; i < MESSAGES; i++) accepted(await sender.sendToGroup(group, `one by one ${i}`));
}

it('a group message costs the same whatever the size of the group, and nothing where nobody is a member', async () => {
  const group = unique('group');
  const sender = await login('ann', 0);
  const others = await Promise.all([
    ...Array.from({ length: 6 }, () => login('ben', 0)),
    ...Array.from({ length: 3 }, () => login('cid', 0, 'bytes')),
    ...Array.from({ length: 9 }, () => login('dan', 1)),
  ]);
  const stranger = await login('eve', 2);
  for (const member of [sender, ...others]) accepted(await member.join(group));
  accepted(await sender.sendToGroup(group, 'the first'));
  for (const member of others) await member.waitForMessage('the first');

  const spent = await costOf(async () => {
    await sendOneByOne(sender, group);
    for (const member of others) await member.waitForMessage(`one by one ${MESSAGES - 1}`);
  });
  expect(spent).toEqual({
    submits: [MESSAGES, 0, 0],
    asks: [expect.any(Number), 0, 0],
    // One copy for a pod, and none for the one without a member.
    roomEvents: [MESSAGES, MESSAGES, 0],
    // One frame for all receivers of a form.
    objectFrames: [MESSAGES, MESSAGES, 0],
    byteFrames: [MESSAGES, 0, 0],
    replies: MESSAGES,
    stored: MESSAGES,
    commits: MESSAGES,
    duplicateLookUps: 0,
    headLookUps: 0,
    emits: MESSAGES,
    requests: 0,
  });
  expect(spent.asks[0]).toBeLessThanOrEqual(ONCE);
  await fence(sender, stranger);
  expect(stranger.delivered).toHaveLength(1);
});

it('messages that come together share commits', async () => {
  const group = unique('group');
  const sender = await login('ann', 0);
  const other = await login('ben', 1);
  for (const member of [sender, other]) accepted(await member.join(group));
  accepted(await sender.sendToGroup(group, 'the first'));
  await other.waitForMessage('the first');

  const count = 10 * MESSAGES;
  const spent = await costOf(async () => {
    const answers = Array.from({ length: count }, (_, i) => sender.sendToGroup(group, `together ${i}`));
    for (const answer of await Promise.all(answers)) accepted(answer);
    await other.waitForMessage(`together ${count - 1}`);
  });
  expect(spent).toMatchObject({
    stored: count,
    emits: count,
    replies: count,
    duplicateLookUps: 0,
    headLookUps: 0,
    requests: 0,
  });
  expect(spent.roomEvents).toEqual([count, count, 0]);
  expect(spent.commits).toBeLessThan(count / 4);
});

it("own copies are framed apart from the others', once for each value of isItMe", async () => {
  const group = unique('group');
  const ann = unique('ann');
  const sender = await starling.login(ann, { gateway: 0 });
  const devices = await Promise.all([1, 1, 1].map((gateway) => starling.login(ann, { gateway })));
  const others = await Promise.all([1, 1, 1].map((gateway) => login('ben', gateway)));
  for (const member of [sender, ...others]) accepted(await member.join(group));
  accepted(await sender.sendToGroup(group, 'the first'));
  for (const client of [...devices, ...others]) await client.waitForMessage('the first');

  const spent = await costOf(async () => {
    await sendOneByOne(sender, group);
    for (const client of [...devices, ...others]) {
      await client.waitForMessage(`one by one ${MESSAGES - 1}`);
    }
  });
  expect(spent.roomEvents).toEqual([MESSAGES, MESSAGES, 0]);
  // At gateway 0 there is only the sender, who has the answer.
  expect(spent.objectFrames).toEqual([0, 2 * MESSAGES, 0]);
});

it('a private message is emitted once for each of its users, and looked for nowhere', async () => {
  const [ann, ben] = [await login('ann', 0), await login('ben', 1)];
  accepted(await ann.sendTo(ben.userId, 'the first'));
  await ben.waitForMessage('the first');
  const spent = await costOf(async () => {
    for (let i = 0; i < MESSAGES; i++) accepted(await ann.sendTo(ben.userId, `private ${i}`));
    await ben.waitForMessage(`private ${MESSAGES - 1}`);
  });
  expect(spent).toMatchObject({
    submits: [MESSAGES, 0, 0],
    roomEvents: [MESSAGES, MESSAGES, 0],
    objectFrames: [0, MESSAGES, 0],
    emits: 2 * MESSAGES,
    commits: MESSAGES,
    headLookUps: 0,
    requests: 0,
  });
});
