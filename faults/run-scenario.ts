import { setTimeout as delay } from 'node:timers/promises';
import {
  type Connection,
  type Entitlement,
  type Form,
  groupName,
  judge,
  loadMessage,
  Member,
  type Message,
  messageOf,
  privateName,
  randomOf,
  SendRecord,
  until,
} from '@starling/testing';
import { ErrorCode, type ErrorName } from '@starling/protocol';
import { MembershipRecord } from './membership-record.js';
import type { Figures, Outcome } from './outcome.js';
import type { Setup, Stage } from './stage.js';

/** What happens to a cluster under load. */
export interface Scenario {
  readonly name: string;
  readonly setup: Setup;
  /** Refusals without which it has shown little. */
  readonly refusals?: readonly ErrorName[];
  /** Resolves when everything that was disturbed is back. Rejects when something other than the promises is broken. */
  disturb(stage: Stage, random: () => number): Promise<Figures | void>;
}

const MEMBERS = 90;
/** Join and quit all the time, each every group once. */
const WANDERERS = 10;
const STRANGERS = 4;
const GROUPS = 10;
const FORMS: Form[] = ['object', 'bytes', 'frame'];
export const SENDS_PER_SECOND = 200;
const TICK_MS = 50;
/** A machine that is busy otherwise would never catch up with more, and its clients did nothing but retry. */
const UNSETTLED_MAX = 10 * SENDS_PER_SECOND;
const BEFORE_MS = 1_000;
const AFTER_MS = 1_500;
/** Engines that are back at once would end a run before it has shown much. */
const ENOUGH_SENDS = 600;
const ONE_PRIVATE_IN = 8;
const STAY_MS = 300;
const CATCH_UP_PATIENCE_MS = 30_000;

/** Plays the scenario once, with users and groups of its own. The stage can be used again if all promises held. */
export async function runScenario(scenario: Scenario, seed: number, stage: Stage): Promise<Outcome> {
  const run = new ScenarioRun(scenario, seed, stage);
  try {
    const outcome = await run.play();
    stage.expectAlive();
    return outcome;
  } finally {
    run.end();
    stage.rememberProcesses();
    await stage.starling.closeClients();
  }
}

let runs = 0;

class ScenarioRun {
  private readonly random: () => number;
  /** Of all names of users and groups: runs share a stage. */
  private readonly id = `run-${(runs += 1)}`;
  private readonly groups = Array.from({ length: GROUPS }, (_, i) => `${this.id}-group-${i}`);
  private readonly records: SendRecord[] = [];
  private readonly settling: Promise<void>[] = [];
  private readonly everybody: Member[];
  private readonly members: Member[];
  private readonly wanderers: Member[];
  private counter = 0;
  /** Sent and not acknowledged yet. */
  private unsettled = 0;
  private loading = true;
  private lastAckAt = 0;
  private quietMs = 0;

  constructor(
    private readonly scenario: Scenario,
    private readonly seed: number,
    private readonly stage: Stage,
  ) {
    this.random = randomOf(seed);
    this.everybody = Array.from(
      { length: MEMBERS + WANDERERS + STRANGERS },
      (_, i) => new Member(stage.starling, this.userAt(i), FORMS[i % FORMS.length]!, i),
    );
    this.members = this.everybody.slice(0, MEMBERS);
    this.wanderers = this.everybody.slice(MEMBERS, MEMBERS + WANDERERS);
  }

  async play(): Promise<Outcome> {
    await Promise.all(this.everybody.map((member) => member.client()));
    await Promise.all(this.members.map((member, i) => member.ask((client) => client.join(this.groupOf(i)))));
    this.stage.rememberProcesses();
    const load = this.load();
    const wandering = Promise.all(this.wanderers.map((wanderer) => this.wander(wanderer)));
    wandering.catch(() => undefined);
    await delay(BEFORE_MS * (0.5 + this.random()));
    const figures = await this.scenario.disturb(this.stage, this.random);
    await delay(AFTER_MS);
    await until('enough to be sent', () => this.records.length >= ENOUGH_SENDS);
    this.loading = false;
    await load;
    await Promise.all(this.settling);
    await wandering;

    const begin = performance.now();
    const stored = await this.stored();
    const record = await MembershipRecord.read(this.stage, this.groups);
    const views = () => this.everybody.flatMap((member) => member.views(this.rightsOf(member, record)));
    const sent = this.records.map((each) => each.sent);
    // Live or by repair: within a generous time everybody has been shown everything.
    const verdicts = () => judge({ sent, stored, views: views() });
    await until(
      'everybody to have seen everything',
      () => !verdicts().some((text) => text.startsWith('missed')),
      CATCH_UP_PATIENCE_MS,
    ).catch(() => undefined);
    const catchUpMs = performance.now() - begin;
    const reasons = reasonsOf(this.everybody);
    return {
      scenario: this.scenario.name,
      seed: this.seed,
      sends: this.records.length,
      deliveries: sum(this.everybody.flatMap(({ connections }) => connections.map(shownOn))),
      retries: sum(this.everybody.map(({ retries }) => retries)),
      reasons,
      slowestAckMs: Math.round(Math.max(...this.everybody.map(({ slowestMs }) => slowestMs))),
      quietMs: Math.round(this.quietMs),
      catchUpMs: Math.round(catchUpMs),
      reconnects: sum(this.everybody.map(({ connections }) => connections.length - 1)),
      figures: figures ?? {},
      verdicts: [...verdicts(), ...this.notSeen(reasons)],
    };
  }

  /** Nobody comes back, or sends more. */
  end(): void {
    this.loading = false;
    for (const member of this.everybody) member.leave();
  }

  private notSeen(reasons: Readonly<Record<string, number>>): string[] {
    const wanted = this.scenario.refusals ?? [];
    return wanted
      .filter((name) => !reasons[ErrorCode[name].code])
      .map((name) => `nobody was refused: ${name}`);
  }

  /** Open loop: what is not answered keeps nobody from sending more, up to what an outage makes of it. */
  private async load(): Promise<void> {
    let paidUntil = performance.now();
    this.lastAckAt = paidUntil;
    while (this.loading) {
      for (; paidUntil < performance.now(); paidUntil += 1000 / SENDS_PER_SECOND) {
        if (this.unsettled < UNSETTLED_MAX) this.send(this.counter++);
      }
      await delay(TICK_MS);
    }
  }

  private send(counter: number): void {
    const at = Math.floor(this.random() * MEMBERS);
    const member = this.members[at]!;
    const isPrivate = counter % ONE_PRIVATE_IN === 0;
    const content = `message ${counter}`;
    const record = new SendRecord(
      isPrivate
        ? loadMessage(member.userId, 0, this.userAt(partnerOf(at)), content)
        : loadMessage(member.userId, 1, this.groupOf(at), content),
    );
    this.records.push(record);
    this.unsettled += 1;
    const settled = member.settle(record).then(() => this.acknowledged());
    // Looked at when the load is over.
    settled.catch(() => undefined);
    this.settling.push(settled);
  }

  private acknowledged(): void {
    this.unsettled -= 1;
    const now = performance.now();
    this.quietMs = Math.max(this.quietMs, now - this.lastAckAt);
    this.lastAckAt = now;
  }

  private async wander(wanderer: Member): Promise<void> {
    for (const group of this.groups) {
      if (!this.loading) return;
      await wanderer.ask((client) => client.join(group));
      await delay(STAY_MS * (1 + 3 * this.random()));
      await wanderer.ask((client) => client.quit(group));
    }
  }

  private rightsOf(member: Member, record: MembershipRecord): Map<string, Entitlement> {
    const at = this.everybody.indexOf(member);
    const rights = new Map<string, Entitlement>();
    if (at < MEMBERS) {
      const partner = privateName(member.userId, this.userAt(partnerOf(at)));
      for (const name of [groupName(this.groupOf(at)), partner]) {
        rights.set(name, { after: 0, upTo: null, complete: true });
      }
      return rights;
    }
    for (const group of this.groups) {
      const first = record.firstSeqOf(member.userId, group);
      if (first === null) continue;
      const upTo = record.lastSeqOf(member.userId, group);
      rights.set(groupName(group), { after: first - 1, upTo, complete: false });
    }
    return rights;
  }

  /** As members read it who ask anyway: the others may be waiting for the end of a replay. */
  private async stored(): Promise<Map<string, Message[]>> {
    const stored = new Map<string, Message[]>();
    await Promise.all(
      this.groups.map(async (group) => {
        const isIn = (at: number) => this.groupOf(at) === group;
        const reader = this.members.find((member, at) => isIn(at) && member.syncs)!;
        const client = await reader.client();
        stored.set(groupName(group), (await client.wholeHistory(1, group)).map(messageOf));
      }),
    );
    for (let i = 0; i < MEMBERS; i += 2) {
      const [reader, partner] = this.members[i]!.syncs ? [i, i + 1] : [i + 1, i];
      const client = await this.members[reader]!.client();
      const messages = await client.wholeHistory(0, this.userAt(partner));
      stored.set(privateName(client.userId, this.userAt(partner)), messages.map(messageOf));
    }
    return stored;
  }

  private userAt(at: number): string {
    return `${this.id}-user-${at}`;
  }

  private groupOf(at: number): string {
    return this.groups[at % GROUPS]!;
  }
}

function partnerOf(at: number): number {
  return at % 2 === 0 ? at + 1 : at - 1;
}

function reasonsOf(members: readonly Member[]): Record<string, number> {
  const reasons: Record<string, number> = {};
  for (const { refusals } of members) {
    for (const [why, count] of refusals) reasons[why] = (reasons[why] ?? 0) + count;
  }
  return reasons;
}

function shownOn({ recorder }: Connection): number {
  return recorder.shown.length;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
