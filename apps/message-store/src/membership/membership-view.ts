import { Inject, Injectable } from '@nestjs/common';
import {
  GroupsRequest,
  MEMBERSHIP_FOLLOWER,
  REQUEST_CLIENT,
  type Membership,
  type MembershipEvent,
  type MembershipFollower,
  type MembershipSubscription,
  type RequestClient,
} from '@starling/bus';
import { LOGGER, OutageLog } from '@starling/observability';
import type { Logger } from 'pino';

/** Users of groups that are remembered, members or not. */
const REMEMBERED_USERS = 100_000;
/** Shorter than the deadline of a submit. */
const ANSWER_MS = 2000;
/** For so long after an answer that did not come in time nobody waits for another. */
const HANGS_MS = 2000;
/** Answers older than what events already told are asked for again, this often. */
const ASKED_AGAIN = 3;

export interface MembershipQuestion {
  readonly groupId: string;
  readonly userId: string;
  /** A version of the group that somebody has seen: what is known of older ones does not answer. */
  readonly version: number;
}

/** Whether a user was a member at a version of the group. */
export interface Standing {
  readonly member: boolean;
  readonly version: number;
}

interface KnownGroup {
  version: number;
  /** Whether the user is a member at `version`; users not in it were never asked for. */
  readonly users: Map<string, boolean>;
}

/**
 * Who is a member of which group, as far as senders made it necessary to ask: answers of the groups service, kept
 * up to date by following its stream. Forgetting is always safe; believing something old is not, so whatever
 * does not fit together is forgotten.
 */
@Injectable()
export class MembershipView {
  /** Least recently asked first. */
  private readonly groups = new Map<string, KnownGroup>();
  private userCount = 0;
  private readonly asking = new Map<string, Promise<Standing | null>>();
  /** Newest version seen in the stream of groups that are being asked for. */
  private readonly seenWhileAsking = new Map<string, { questions: number; version: number }>();
  /** Raised when events were missed: answers from before are not kept. */
  private generation = 0;
  /** When the groups service last did not answer in time; -Infinity when it has answered since. */
  private hungAt = -Infinity;
  private subscription: MembershipSubscription | null = null;
  private readonly outage: OutageLog;

  constructor(
    @Inject(MEMBERSHIP_FOLLOWER) private readonly follower: MembershipFollower,
    @Inject(REQUEST_CLIENT) private readonly client: RequestClient,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.outage = new OutageLog(
      logger,
      'the groups service does not answer for memberships; messages of whom it has to be asked about are refused',
      'the groups service answers for memberships again',
    );
  }

  /** Following comes before the first question: no change falls in between. */
  async start(): Promise<void> {
    this.subscription = await this.follower.follow(
      (event) => this.apply(event),
      () => this.forgetAll(),
    );
  }

  async stop(): Promise<void> {
    await this.subscription?.stop();
  }

  /**
   * A standing for each question, in order; null where the groups service did not answer. One that hangs is asked, so
   * that it is known when it is back, but not waited for: it must not hold up messages of members who are known.
   */
  async standings(questions: readonly MembershipQuestion[]): Promise<(Standing | null)[]> {
    const unknown = questions.filter((question) => !this.known(question));
    if (unknown.length === 0) return questions.map((question) => this.known(question) ?? null);
    const answers = new Map<string, Standing | null>();
    await Promise.all(
      unknown.map(async (question) => {
        const asked = this.ask(question);
        const standing = this.hangs ? null : await asked;
        const other = answers.get(nameOf(question));
        if (!other || (standing && standing.version > other.version)) answers.set(nameOf(question), standing);
      }),
    );
    // What is known now is the newest; an answer stands where it was not kept.
    return questions.map((question) => {
      const answer = answers.get(nameOf(question));
      return this.known(question) ?? (answer && answer.version >= question.version ? answer : null);
    });
  }

  private get hangs(): boolean {
    return performance.now() - this.hungAt < HANGS_MS;
  }

  private known({ groupId, userId, version }: MembershipQuestion): Standing | undefined {
    const group = this.groups.get(groupId);
    const member = group?.users.get(userId);
    if (!group || member === undefined || group.version < version) return undefined;
    this.groups.delete(groupId);
    this.groups.set(groupId, group);
    return { member, version: group.version };
  }

  private ask(question: MembershipQuestion): Promise<Standing | null> {
    const name = `${nameOf(question)} ${question.version}`;
    let answer = this.asking.get(name);
    if (!answer) {
      answer = this.askUntilCurrent(question).finally(() => this.asking.delete(name));
      this.asking.set(name, answer);
    }
    return answer;
  }

  private async askUntilCurrent({ groupId, userId, version }: MembershipQuestion): Promise<Standing | null> {
    const seen = this.seenWhileAsking.get(groupId) ?? { questions: 0, version: 0 };
    this.seenWhileAsking.set(groupId, seen);
    seen.questions += 1;
    try {
      let answer: Membership | null = null;
      for (let asked = 0; asked <= ASKED_AGAIN; asked++) {
        const generation = this.generation;
        answer = await withinTime(this.client.request(GroupsRequest.membership, { groupId, userId }));
        this.hungAt = -Infinity;
        this.outage.worked();
        const newest = Math.max(version, seen.version, this.groups.get(groupId)?.version ?? 0);
        if (generation !== this.generation || answer.version < newest) continue;
        this.keep(answer, userId);
        return standingOf(answer);
      }
      this.logger.warn(
        { groupId, version, answered: answer?.version },
        'the groups service answers with an older version than was published',
      );
      return null;
    } catch (err) {
      if (err instanceof NoAnswerInTime) this.hungAt = performance.now();
      this.outage.failed(err);
      return null;
    } finally {
      seen.questions -= 1;
      if (seen.questions === 0) this.seenWhileAsking.delete(groupId);
    }
  }

  /** The answer is not older than anything known of the group. */
  private keep({ groupId, version, role }: Membership, userId: string): void {
    let group = this.groups.get(groupId);
    // Newer than the stream so far: of the other users nothing is known at that version.
    if (group && group.version < version) {
      this.forget(groupId);
      group = undefined;
    }
    if (!group) this.groups.set(groupId, (group = { version, users: new Map() }));
    if (!group.users.has(userId)) this.userCount += 1;
    group.users.set(userId, role !== null);
    for (const oldest of this.groups.keys()) {
      if (this.userCount <= REMEMBERED_USERS) return;
      this.forget(oldest);
    }
  }

  private apply(event: MembershipEvent): void {
    const seen = this.seenWhileAsking.get(event.groupId);
    if (seen) seen.version = Math.max(seen.version, event.version);
    const group = this.groups.get(event.groupId);
    if (!group || event.version <= group.version) return;
    if (event.version > group.version + 1 || event.userId === null) {
      this.forget(event.groupId);
      return;
    }
    group.version = event.version;
    if (group.users.has(event.userId)) group.users.set(event.userId, event.role !== null);
  }

  private forget(groupId: string): void {
    this.userCount -= this.groups.get(groupId)?.users.size ?? 0;
    this.groups.delete(groupId);
  }

  private forgetAll(): void {
    this.generation += 1;
    this.groups.clear();
    this.userCount = 0;
  }
}

function nameOf({ groupId, userId }: MembershipQuestion): string {
  return JSON.stringify([groupId, userId]);
}

function standingOf({ role, version }: Membership): Standing {
  return { member: role !== null, version };
}

class NoAnswerInTime extends Error {}

async function withinTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NoAnswerInTime('no answer in time')), ANSWER_MS);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
