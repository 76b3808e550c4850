import { setTimeout as delay } from 'node:timers/promises';
import {
  type ChatClient,
  type ClusterInstallation,
  type Engines,
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
  Starling,
  startMongo,
  startNats,
  startRedis,
  until,
} from '@starling/testing';
import { Member } from './member.js';

/** What happens to a cluster under load. */
export interface Scenario {
  readonly name: string;
  /** Resolves when everything that was disturbed is back. */
  disturb(cluster: ClusterInstallation, engines: Engines, random: () => number): Promise<void>;
}

/** One run, for the table. */
export interface Outcome {
  readonly scenario: string;
  readonly seed: number;
  readonly sends: number;
  /** Messages shown at all connections. */
  readonly deliveries: number;
  /** Tries beyond the first. */
  readonly retries: number;
  /** How often each error code was the reason for another try; `cut`: the connection or the answer was lost. */
  readonly reasons: Readonly<Record<string, number>>;
  /** From the first try of a message to its acknowledgement, the longest. */
  readonly slowestAckMs: number;
  /** From the end of the load until everybody had been shown everything. */
  readonly catchUpMs: number;
  readonly reconnects: number;
  /** Of the checker; none when all promises held. */
  readonly verdicts: readonly string[];
}

const MEMBERS = 90;
/** Join and quit all the time, each every group once. */
const WANDERERS = 10;
const STRANGERS = 4;
const GROUPS = Array.from({ length: 10 }, (_, i) => `group-${i}`);
const FORMS: Form[] = ['object', 'bytes', 'frame'];
const SENDS_PER_SECOND = 200;
const TICK_MS = 50;
const BEFORE_MS = 2_000;
const AFTER_MS = 2_000;
const ONE_PRIVATE_IN = 8;
/** What is sent so long after a quit was answered is nothing for who quit. */
const REMOVED_WITHIN_MS = 1_000;

const ENV = {
  PACKETS_PER_SECOND: '100000',
  PACKETS_BURST: '100000',
  SILENCE_TIMEOUT_MS: '120000',
  LOGIN_TIMEOUT_MS: '60000',
  RECONNECT_WINDOW_MS: '500',
  PARTITION_LEASE_MS: '1500',
  SESSION_LEASE_MS: '3000',
  FEED_CHECK_MS: '1000',
  SUBMIT_DEADLINE_MS: '5000',
};

export async function runScenario(scenario: Scenario, seed: number): Promise<Outcome> {
  const engines: Engines = {
    nats: await startNats(),
    redis: await startRedis(),
    mongodb: await startMongo(),
  };
  const starling = new Starling({
    profile: 'cluster',
    env: ENV,
    cluster: { gateways: 2, stores: 2, engines },
  });
  try {
    await starling.start();
    return await new ScenarioRun(scenario, seed, starling, engines).run();
  } finally {
    // What a scenario did to them is no reason not to end them.
    await starling.dispose().catch(() => starling.kill9());
    await Promise.all(Object.values(engines).map((engine) => engine.stop()));
  }
}

interface Stay {
  /** Head of the group before the join was asked for. */
  readonly after: number;
  /** When the quit was answered; null while the user is a member. */
  quitAt: number | null;
}

class ScenarioRun {
  private readonly random: () => number;
  private readonly records: SendRecord[] = [];
  private readonly settling: Promise<void>[] = [];
  /** When each message was first tried. */
  private readonly triedAt = new Map<SendRecord, number>();
  private readonly everybody: Member[];
  private readonly members: Member[];
  private readonly wanderers: Member[];
  private readonly stays = new Map<Member, Map<string, Stay>>();
  private counter = 0;
  private loading = true;

  constructor(
    private readonly scenario: Scenario,
    private readonly seed: number,
    private readonly starling: Starling,
    private readonly engines: Engines,
  ) {
    this.random = randomOf(seed);
    const total = MEMBERS + WANDERERS + STRANGERS;
    this.everybody = Array.from(
      { length: total },
      (_, i) => new Member(`user-${i}`, FORMS[i % FORMS.length]!, i, starling, (client) => headsFor(client)),
    );
    this.members = this.everybody.slice(0, MEMBERS);
    this.wanderers = this.everybody.slice(MEMBERS, MEMBERS + WANDERERS);
  }

  async run(): Promise<Outcome> {
    await Promise.all(this.everybody.map((member) => member.client()));
    await Promise.all(this.members.map((member, i) => member.ask((client) => client.join(groupOf(i)))));
    const load = this.load();
    const wandering = this.wanderers.map((wanderer) => this.wander(wanderer));
    await delay(BEFORE_MS * (0.5 + this.random()));
    await this.scenario.disturb(this.starling.cluster, this.engines, this.random);
    await delay(AFTER_MS);
    this.loading = false;
    await load;
    await Promise.all(this.settling);
    await Promise.all(wandering);

    const begin = performance.now();
    const stored = await this.stored();
    const views = () => this.everybody.flatMap((member) => member.views(this.rightsOf(member)));
    const sent = this.records.map((record) => record.sent);
    // Live or by repair: within a generous time everybody has been shown everything.
    const verdicts = () => judge({ sent, stored, views: views() });
    await until(
      'everybody to have seen everything',
      () => !verdicts().some((text) => text.startsWith('missed')),
      30_000,
    ).catch(() => undefined);
    const catchUpMs = performance.now() - begin;
    const result = verdicts();
    for (const member of this.everybody) member.leave();
    return {
      scenario: this.scenario.name,
      seed: this.seed,
      sends: this.records.length,
      deliveries: sum(views().map(({ shown }) => shown.length)),
      retries: sum(this.everybody.map(({ retries }) => retries)),
      reasons: reasonsOf(this.everybody),
      slowestAckMs: Math.round(Math.max(...this.everybody.map(({ slowestMs }) => slowestMs))),
      catchUpMs: Math.round(catchUpMs),
      reconnects: sum(this.everybody.map(({ connections }) => connections.length - 1)),
      verdicts: result,
    };
  }

  /** Open loop: what is not answered keeps nobody from sending more. */
  private async load(): Promise<void> {
    const begin = performance.now();
    while (this.loading) {
      const due = ((performance.now() - begin) / 1000) * SENDS_PER_SECOND;
      for (; this.counter < due; this.counter++) this.send(this.counter);
      await delay(TICK_MS);
    }
  }

  private send(counter: number): void {
    const at = Math.floor(this.random() * MEMBERS);
    const member = this.members[at]!;
    const isPrivate = counter % ONE_PRIVATE_IN === 0;
    const packet = messageFrom(
      member.userId,
      `${this.seed}: message ${counter}`,
      isPrivate ? partnerOf(at) : null,
      at,
    );
    const record = new SendRecord(packet);
    this.records.push(record);
    this.triedAt.set(record, performance.now());
    const settled = member.settle(record);
    // Looked at when the load is over.
    settled.catch(() => undefined);
    this.settling.push(settled);
  }

  private async wander(wanderer: Member): Promise<void> {
    const stays = new Map<string, Stay>();
    this.stays.set(wanderer, stays);
    for (const group of GROUPS) {
      if (!this.loading) return;
      const stay: Stay = { after: this.head(group), quitAt: null };
      stays.set(group, stay);
      await wanderer.ask((client) => client.join(group));
      await delay(200 + 400 * this.random());
      await wanderer.ask((client) => client.quit(group));
      stay.quitAt = performance.now();
    }
  }

  /** Highest seq that was acknowledged of what was first sent to the group until then. */
  private head(group: string, triedUntil = Infinity): number {
    let head = 0;
    for (const record of this.records) {
      if (!record.acknowledged || record.packet['toUserId'] !== group) continue;
      if (this.triedAt.get(record)! <= triedUntil) head = Math.max(head, record.acknowledged.seq);
    }
    return head;
  }

  private rightsOf(member: Member): Map<string, Entitlement> {
    const at = this.everybody.indexOf(member);
    const rights = new Map<string, Entitlement>();
    if (at < MEMBERS) {
      const partner = partnerOf(at);
      for (const name of [groupName(groupOf(at)), privateName(member.userId, `user-${partner}`)]) {
        rights.set(name, { after: 0, upTo: null, complete: true });
      }
    }
    for (const [group, { after, quitAt }] of this.stays.get(member) ?? []) {
      const upTo = quitAt === null ? null : this.head(group, quitAt + REMOVED_WITHIN_MS);
      rights.set(groupName(group), { after, upTo, complete: false });
    }
    return rights;
  }

  private async stored(): Promise<Map<string, Message[]>> {
    const stored = new Map<string, Message[]>();
    await Promise.all(
      GROUPS.map(async (group, i) => {
        const client = await this.members[i]!.client();
        stored.set(groupName(group), (await client.wholeHistory(1, group)).map(messageOf));
      }),
    );
    for (let i = 0; i < MEMBERS; i += 2) {
      const partner = `user-${partnerOf(i)}`;
      const client = await this.members[i]!.client();
      const messages = await client.wholeHistory(0, partner);
      stored.set(privateName(client.userId, partner), messages.map(messageOf));
    }
    return stored;
  }
}

function groupOf(at: number): string {
  return GROUPS[at % GROUPS.length]!;
}

function partnerOf(at: number): number {
  return at % 2 === 0 ? at + 1 : at - 1;
}

function messageFrom(userId: string, content: string, partner: number | null, at: number): Packet {
  return {
    version: 1,
    command: 3,
    isItMe: true,
    contentType: 0,
    content,
    createTime: 0,
    // Ids of clients are their own affair; a text that tells the message apart lets the checker find it again.
    hasBeenSentId: content,
    fromUserId: userId,
    userId,
    toUserId: partner === null ? groupOf(at) : `user-${partner}`,
    chatType: partner === null ? 1 : 0,
  };
}

/** What the conversations' heads are now, at the latest. */
async function headsFor(client: ChatClient): Promise<Map<string, number>> {
  const heads = new Map<string, number>();
  let cursor: unknown = null;
  do {
    const answer: Packet = await client.sync([], cursor === null ? {} : { cursor });
    if (answer['success'] !== true) throw client.error('could not sync');
    const conversations: { chatType: number; chatId: string; head: number }[] = answer['conversations'];
    for (const { chatType, chatId, head } of conversations) {
      heads.set(chatType === 1 ? groupName(chatId) : privateName(client.userId, chatId), head);
    }
    cursor = answer['cursor'];
  } while (cursor !== null);
  return heads;
}

function reasonsOf(members: readonly Member[]): Record<string, number> {
  const reasons: Record<string, number> = {};
  for (const { refusals } of members) {
    for (const [why, count] of refusals) reasons[why] = (reasons[why] ?? 0) + count;
  }
  return reasons;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
