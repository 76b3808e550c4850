import { Inject, Injectable } from '@nestjs/common';
import {
  MEMBERSHIP_FOLLOWER,
  REQUEST_CLIENT,
  type MembersAmong,
  type MembershipEvent,
  type MembershipFollower,
  type MembershipSubscription,
  type RequestClient,
} from '@starling/bus';
import { LOGGER, OutageLog } from '@starling/observability';
import type { Logger } from 'pino';
import { Inquiries } from './inquiries.js';

/** Users of groups that are remembered, members or not. */
const REMEMBERED_USERS = 100_000;
/** Answers older than what is known of elsewhere are asked for again, this often. */
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
  /** Up to which the stream was followed. */
  version: number;
  /** Each as of the group's version, or of a later one that was answered. Users not in it were never asked about. */
  readonly users: Map<string, Standing>;
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
  private readonly inquiries: Inquiries;
  private subscription: MembershipSubscription | null = null;

  constructor(
    @Inject(MEMBERSHIP_FOLLOWER) private readonly follower: MembershipFollower,
    @Inject(REQUEST_CLIENT) client: RequestClient,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    const outage = new OutageLog(
      logger,
      'the groups service does not answer for memberships; messages of whom it has to be asked about are refused',
      'the groups service answers for memberships again',
    );
    this.inquiries = new Inquiries(client, outage, (answer, userIds, seen) =>
      this.learn(answer, userIds, seen),
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
   * A standing for each question, in order; null where the groups service did not answer. One that hangs is not waited
   * for: it must not hold up messages of members who are known.
   */
  async standings(questions: readonly MembershipQuestion[]): Promise<(Standing | null)[]> {
    let unknown = this.unknownOf(questions);
    for (let asked = 0; unknown.length > 0; asked++) {
      if (asked > ASKED_AGAIN) {
        const [{ groupId, version } = {}] = unknown;
        this.logger.warn(
          { groupId, version, known: groupId && this.groups.get(groupId)?.version },
          'the groups service answers with an older version than was published',
        );
        break;
      }
      if (!(await this.inquiries.about(unknown))) break;
      unknown = this.unknownOf(unknown);
    }
    return questions.map((question) => this.known(question));
  }

  private unknownOf(questions: readonly MembershipQuestion[]): MembershipQuestion[] {
    return questions.filter((question) => this.known(question) === null);
  }

  private known({ groupId, userId, version }: MembershipQuestion): Standing | null {
    const group = this.groups.get(groupId);
    const user = group?.users.get(userId);
    if (!group || !user) return null;
    const newest = Math.max(user.version, group.version);
    if (newest < version) return null;
    this.groups.delete(groupId);
    this.groups.set(groupId, group);
    return { member: user.member, version: newest };
  }

  /** What is older than the stream told, or another answer, is not believed. */
  private learn({ groupId, version, members }: MembersAmong, userIds: readonly string[], seen: number): void {
    const group = this.groups.get(groupId) ?? { version, users: new Map<string, Standing>() };
    if (version < Math.max(seen, group.version)) return;
    this.groups.set(groupId, group);
    const among = new Set(members);
    for (const userId of userIds) {
      const before = group.users.get(userId);
      if (before && before.version > version) continue;
      if (!before) this.userCount += 1;
      group.users.set(userId, { member: among.has(userId), version });
    }
    for (const oldest of this.groups.keys()) {
      if (this.userCount <= REMEMBERED_USERS) return;
      this.forget(oldest);
    }
  }

  private apply({ groupId, version, userId, role }: MembershipEvent): void {
    this.inquiries.told(groupId, version);
    const group = this.groups.get(groupId);
    if (!group || version <= group.version) return;
    if (version > group.version + 1 || userId === null) {
      this.forget(groupId);
      return;
    }
    group.version = version;
    const user = group.users.get(userId);
    if (user && user.version < version) group.users.set(userId, { member: role !== null, version });
  }

  private forget(groupId: string): void {
    this.userCount -= this.groups.get(groupId)?.users.size ?? 0;
    this.groups.delete(groupId);
  }

  private forgetAll(): void {
    this.inquiries.voidAll();
    this.groups.clear();
    this.userCount = 0;
  }
}
