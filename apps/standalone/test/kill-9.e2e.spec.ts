import {
  type ChatClient,
  type Entitlement,
  type Form,
  groupName,
  judge,
  loadMessage,
  Member,
  type Message,
  messageOf,
  type Packet,
  privateName,
  randomOf,
  SendRecord,
  Starling,
  until,
} from '@starling/testing';

/**
 * The process is killed in the middle of its work, again and again on the same data. Clients come back to the process
 * that comes after, and send again, with the same id, what they have no answer for.
 */
const SEEDS = 20;
const GROUPS = ['one', 'two', 'three'] as const;
const USERS = ['ann', 'ben', 'cem', 'dot', 'eve', 'fay'];
/** Ann and Ben also write to each other. */
const PAIR = ['ann', 'ben'];
/** Messages that a sender has under way at once. */
const UNDER_WAY = 8;
const FORMS: Form[] = ['object', 'frame', 'bytes'];

const starling = new Starling({
  // Kills that follow each other closely leave more to replay than the default allows.
  env: { PACKETS_PER_SECOND: '100000', PACKETS_BURST: '100000', REPLAY_MAX_MESSAGES: '100000' },
});

afterAll(() => starling.dispose());

it(`keeps what it acknowledged, once, and counts on without a hole, over ${SEEDS} kills`, async () => {
  await starling.start();
  const members = USERS.map((user, i) => new Member(starling, user, FORMS[i % FORMS.length]!, 0));
  for (const group of GROUPS) {
    await Promise.all(members.map((member) => member.ask((client) => client.join(group))));
  }
  const load = new Load();
  const sending = members.flatMap((member) => Array.from({ length: UNDER_WAY }, () => load.from(member)));
  for (let seed = 1; seed <= SEEDS; seed++) {
    // The kill comes after a number of answers, so at any point of a batch, a commit or a delivery.
    await load.answers(Math.floor(randomOf(seed)() * 400));
    await starling.kill9();
    await starling.start();
  }
  load.isOver = true;
  await Promise.all(sending);

  const stored = await storedFor(await members[0]!.client());
  const sent = load.records.map((record) => record.sent);
  const verdicts = () =>
    judge({ sent, stored, views: members.flatMap((each) => each.views(rightsOf(each))) });
  await until(
    'everybody to have seen everything',
    () => !verdicts().some((text) => text.startsWith('missed')),
  );
  expect(verdicts()).toEqual([]);
  // Or the test would have shown little.
  expect(load.records.length).toBeGreaterThan(SEEDS * 50);
  expect(members.reduce((sum, { retries }) => sum + retries, 0)).toBeGreaterThan(SEEDS);
  for (const member of members) member.leave();
}, 240_000);

/** Sends as fast as answers come. */
class Load {
  readonly records: SendRecord[] = [];
  isOver = false;
  private readonly random = randomOf(0);
  private answered = 0;

  async from(member: Member): Promise<void> {
    while (!this.isOver) {
      const record = new SendRecord(this.nextMessage(member.userId));
      this.records.push(record);
      await member.settle(record, { twice: this.random() < 0.1 });
      this.answered += 1;
    }
  }

  /** Resolves when so many more have been answered. */
  async answers(count: number): Promise<void> {
    const last = this.answered + count;
    await until('answers', () => this.answered > last, 60_000);
  }

  private nextMessage(sender: string): Packet {
    const content = `message ${this.records.length}`;
    const group = GROUPS[Math.floor(this.random() * (GROUPS.length + 1))];
    const partner = PAIR.find((user) => user !== sender);
    if (group === undefined && PAIR.includes(sender)) return loadMessage(sender, 0, partner!, content);
    return loadMessage(sender, 1, group ?? GROUPS[0], content);
  }
}

function rightsOf({ userId }: Member): Map<string, Entitlement> {
  const conversations = GROUPS.map(groupName);
  if (PAIR.includes(userId)) conversations.push(privateName('ann', 'ben'));
  return new Map(conversations.map((name) => [name, { after: 0, upTo: null, complete: true }]));
}

async function storedFor(ann: ChatClient): Promise<Map<string, Message[]>> {
  const stored = new Map<string, Message[]>();
  for (const group of GROUPS) stored.set(groupName(group), (await ann.wholeHistory(1, group)).map(messageOf));
  stored.set(privateName('ann', 'ben'), (await ann.wholeHistory(0, 'ben')).map(messageOf));
  return stored;
}
