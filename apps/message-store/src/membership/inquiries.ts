import { GroupsRequest, MEMBERS_ASKED_MAX, type MembersAmong, type RequestClient } from '@starling/bus';
import type { OutageLog } from '@starling/observability';

/** Shorter than the deadline of a submit. */
const ANSWER_MS = 2000;
/** For so long after an answer that did not come in time nobody waits for another. */
const HANGS_MS = 2000;

interface GroupInquiry {
  /** Users who will be asked about when the question under way is answered. */
  next: { readonly userIds: Set<string>; readonly answered: PromiseWithResolvers<boolean> } | null;
  isAsking: boolean;
  /** Also late ones, which nobody waits for any more. */
  underWay: number;
  /** Newest version that the stream told of since the first of them. */
  seen: number;
}

/** `seen`: a version that the stream told of meanwhile; an answer older than that was overtaken. */
export type OnAnswer = (answer: MembersAmong, userIds: readonly string[], seen: number) => void;

/**
 * Asks the groups service who is a member. One that is slow must not get slower by being asked: there is one question
 * at a time for a group, about everybody who was asked about meanwhile; an answer is used however late it comes; and a
 * service that hangs is asked one question at a time, so that it is known when it is back.
 */
export class Inquiries {
  private readonly groups = new Map<string, GroupInquiry>();
  /** Questions that are waited for. */
  private waitedFor = 0;
  /** Raised when events were missed: answers to questions from before are void. */
  private generation = 0;
  /** When the groups service last did not answer in time; -Infinity when it has answered since. */
  private hungAt = -Infinity;

  constructor(
    private readonly client: RequestClient,
    private readonly outage: OutageLog,
    private readonly onAnswer: OnAnswer,
  ) {}

  /** Resolves with whether there was an answer about all of them; it is not waited for while the service hangs. */
  async about(users: readonly { readonly groupId: string; readonly userId: string }[]): Promise<boolean> {
    const groups = [...Map.groupBy(users, ({ groupId }) => groupId)];
    if (this.hangs) {
      const [probe] = groups;
      if (probe && this.waitedFor === 0) void this.askAbout(...probe);
      return false;
    }
    const answers = await Promise.all(groups.map((group) => this.askAbout(...group)));
    return !answers.includes(false);
  }

  /** The stream has told of a version of the group. */
  told(groupId: string, version: number): void {
    const inquiry = this.groups.get(groupId);
    if (inquiry) inquiry.seen = Math.max(inquiry.seen, version);
  }

  /** Answers that are under way may be older than events which were missed. */
  voidAll(): void {
    this.generation += 1;
  }

  private get hangs(): boolean {
    return performance.now() - this.hungAt < HANGS_MS;
  }

  private askAbout(groupId: string, users: readonly { readonly userId: string }[]): Promise<boolean> {
    let inquiry = this.groups.get(groupId);
    if (!inquiry) {
      inquiry = { next: null, isAsking: false, underWay: 0, seen: 0 };
      this.groups.set(groupId, inquiry);
    }
    inquiry.next ??= { userIds: new Set(), answered: Promise.withResolvers() };
    const { userIds, answered } = inquiry.next;
    for (const { userId } of users) userIds.add(userId);
    if (!inquiry.isAsking) void this.askInTurn(groupId, inquiry);
    return answered.promise;
  }

  private async askInTurn(groupId: string, inquiry: GroupInquiry): Promise<void> {
    inquiry.isAsking = true;
    let isAnswered = true;
    while (inquiry.next) {
      const { userIds, answered } = inquiry.next;
      inquiry.next = null;
      // Who waited for a question in vain does not wait for a second one.
      isAnswered &&= await this.inTime(this.ask(groupId, inquiry, [...userIds]));
      answered.resolve(isAnswered);
    }
    inquiry.isAsking = false;
    this.forgetIdle(groupId, inquiry);
  }

  private async inTime(answer: Promise<boolean>): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => {
        this.hungAt = performance.now();
        this.outage.failed(new Error('no answer in time'));
        resolve(false);
      }, ANSWER_MS);
    });
    this.waitedFor += 1;
    try {
      return await Promise.race([answer, late]);
    } finally {
      this.waitedFor -= 1;
      clearTimeout(timer);
    }
  }

  /** Never rejects; false when there was no answer. */
  private async ask(groupId: string, inquiry: GroupInquiry, userIds: readonly string[]): Promise<boolean> {
    const { generation } = this;
    inquiry.underWay += 1;
    try {
      for (let i = 0; i < userIds.length; i += MEMBERS_ASKED_MAX) {
        const asked = userIds.slice(i, i + MEMBERS_ASKED_MAX);
        const answer = await this.client.request(GroupsRequest.membersAmong, { groupId, userIds: asked });
        this.hungAt = -Infinity;
        this.outage.worked();
        if (generation === this.generation) this.onAnswer(answer, asked, inquiry.seen);
      }
      return true;
    } catch (err) {
      this.outage.failed(err);
      return false;
    } finally {
      inquiry.underWay -= 1;
      this.forgetIdle(groupId, inquiry);
    }
  }

  private forgetIdle(groupId: string, inquiry: GroupInquiry): void {
    if (!inquiry.isAsking && inquiry.underWay === 0) this.groups.delete(groupId);
  }
}
