import {
  InProcessMembershipStream,
  type MembersAmong,
  type MembershipEvent,
  type MembershipFollower,
  type RequestClient,
} from '@starling/bus';
import { Refusal } from '@starling/protocol';
import { pino } from 'pino';
import { MembershipView } from './membership-view.js';

const logger = pino({ level: 'silent' });

/** The groups service as its requests show it, with the moment of each answer in the test's hands. */
class Groups implements RequestClient {
  readonly stream = new InProcessMembershipStream(logger);
  /** The users of each question. */
  readonly asked: string[][] = [];
  answering: Promise<void> = Promise.resolve();
  private version = 0;
  private readonly members = new Set<string>();

  async request<Request, Reply>(_: unknown, payload: Request): Promise<Reply> {
    const { groupId, userIds } = payload as { groupId: string; userIds: string[] };
    this.asked.push(userIds);
    const members = userIds.filter((userId) => this.members.has(userId));
    const reply: MembersAmong = { groupId, version: this.version, members };
    await this.answering;
    return reply as Reply;
  }

  /** Answers wait for the call of what is returned. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.answering = promise;
    return resolve;
  }

  /** Commits a change, and tells the stream unless `told` is false. */
  async change(change: 'added' | 'removed', userId: string, told = true): Promise<void> {
    this.version += 1;
    if (change === 'added') this.members.add(userId);
    else this.members.delete(userId);
    const role = change === 'added' ? 'member' : null;
    const event: MembershipEvent = { groupId: 'sea', version: this.version, change, userId, role, by: null };
    if (told) await this.stream.publish(event);
  }
}

describe('MembershipView', () => {
  let groups: Groups;
  let view: MembershipView;

  beforeEach(async () => {
    groups = new Groups();
    view = new MembershipView(groups.stream, groups, logger);
    await view.start();
    await groups.change('added', 'ann');
  });

  afterEach(() => view.stop());

  const standing = async (userId: string, version = 0) =>
    (await view.standings([{ groupId: 'sea', userId, version }]))[0];

  it('asks once for a user and then follows the stream', async () => {
    expect(await standing('ann')).toEqual({ member: true, version: 1 });
    await groups.change('removed', 'ann');
    expect(await standing('ann', 2)).toEqual({ member: false, version: 2 });
    await groups.change('added', 'ben');
    await groups.change('added', 'ann');
    expect(await standing('ann', 4)).toEqual({ member: true, version: 4 });
    expect(groups.asked).toEqual([['ann']]);
  });

  it('asks once about all users of a group', async () => {
    const questions = Array.from({ length: 50 }, (_, i) => ({
      groupId: 'sea',
      userId: i % 2 ? 'ann' : 'ben',
      version: 1,
    }));
    const standings = await view.standings(questions);
    expect(standings.map((each) => each?.member)).toEqual(questions.map(({ userId }) => userId === 'ann'));
    expect(groups.asked).toEqual([['ben', 'ann']]);
  });

  it('asks again when somebody has seen a newer version', async () => {
    await standing('ann');
    await groups.change('removed', 'ann', false);
    expect(await standing('ann', 1)).toEqual({ member: true, version: 1 });
    expect(await standing('ann', 2)).toEqual({ member: false, version: 2 });
  });

  it('forgets a group whose versions have a hole, and everything when events were missed', async () => {
    await standing('ann');
    await groups.change('removed', 'ann', false);
    await groups.change('added', 'ben');
    expect(await standing('ann')).toEqual({ member: false, version: 3 });

    let missed = (): void => undefined;
    const follower: MembershipFollower = {
      follow: (onEvent, onGap) => {
        missed = onGap;
        return groups.stream.follow(onEvent, onGap);
      },
    };
    const other = new MembershipView(follower, groups, logger);
    await other.start();
    const question = [{ groupId: 'sea', userId: 'ben', version: 0 }];
    expect(await other.standings(question)).toEqual([{ member: true, version: 3 }]);
    await groups.change('removed', 'ben', false);
    missed();
    expect(await other.standings(question)).toEqual([{ member: false, version: 4 }]);
    await other.stop();
  });

  it('does not believe an answer that was overtaken by an event', async () => {
    const release = groups.hold();
    const waiting = standing('ann');
    await groups.change('removed', 'ann');
    release();
    expect(await waiting).toEqual({ member: false, version: 2 });
    expect(await standing('ann')).toEqual({ member: false, version: 2 });
  });

  it('knows one user as of a newer version than the others, and follows the stream for each', async () => {
    await standing('ann');
    await groups.change('removed', 'ann', false);
    await groups.change('added', 'ben', false);
    expect(await standing('ben', 3)).toEqual({ member: true, version: 3 });
    expect(await standing('ann')).toEqual({ member: true, version: 1 });
    const event = { groupId: 'sea', by: null };
    await groups.stream.publish({ ...event, version: 2, change: 'removed', userId: 'ann', role: null });
    expect(await standing('ann')).toEqual({ member: false, version: 2 });
    expect(await standing('ben', 3)).toEqual({ member: true, version: 3 });
    await groups.stream.publish({ ...event, version: 3, change: 'added', userId: 'ben', role: 'member' });
    expect(await standing('ann', 3)).toEqual({ member: false, version: 3 });
    await groups.change('removed', 'ben');
    expect(await standing('ben', 4)).toEqual({ member: false, version: 4 });
    expect(groups.asked).toEqual([['ann'], ['ben']]);
  });

  it('asks one question at a time for a group, and about everybody meanwhile asked for in the next', async () => {
    const release = groups.hold();
    const standings = ['ann', 'ben', 'cem', 'ben'].map((userId) => standing(userId));
    expect(groups.asked).toEqual([['ann']]);
    release();
    const members = (await Promise.all(standings)).map((each) => each?.member);
    expect(members).toEqual([true, false, false, false]);
    expect(groups.asked).toEqual([['ann'], ['ben', 'cem']]);
  });

  it('says it does not know where the groups service does not answer, or only with something older', async () => {
    expect(await standing('ann', 7)).toBeNull();
    groups.answering = Promise.reject(new Refusal('UNAVAILABLE'));
    expect(await standing('ben')).toBeNull();
    groups.answering = Promise.resolve();
    expect(await standing('ben')).toEqual({ member: false, version: 1 });
  });

  it('waits for a groups service that hangs no more than once, so that who is known can go on, until it answers', async () => {
    jest.useFakeTimers();
    try {
      const release = groups.hold();
      const first = standing('ann');
      await jest.advanceTimersByTimeAsync(2000);
      expect(await first).toBeNull();
      // Asked one question at a time.
      for (const userId of ['ben', 'cem', 'dot']) expect(await standing(userId)).toBeNull();
      expect(groups.asked).toEqual([['ann'], ['ben']]);
      release();
      await jest.advanceTimersByTimeAsync(0);
      expect(await standing('cem')).toEqual({ member: false, version: 1 });
      // What came late was kept.
      expect(await standing('ann')).toEqual({ member: true, version: 1 });
      expect(groups.asked).toEqual([['ann'], ['ben'], ['cem']]);
    } finally {
      jest.useRealTimers();
    }
  });

  it('does not believe a late answer that was overtaken by an event', async () => {
    jest.useFakeTimers();
    try {
      const release = groups.hold();
      const first = standing('ann');
      await jest.advanceTimersByTimeAsync(2000);
      expect(await first).toBeNull();
      await groups.change('removed', 'ann');
      release();
      await jest.advanceTimersByTimeAsync(0);
      expect(await standing('ann')).toEqual({ member: false, version: 2 });
    } finally {
      jest.useRealTimers();
    }
  });

  it('waits again when it has been quiet for a while', async () => {
    jest.useFakeTimers();
    try {
      groups.answering = new Promise(() => undefined);
      const first = standing('ann');
      await jest.advanceTimersByTimeAsync(2000);
      expect(await first).toBeNull();
      await jest.advanceTimersByTimeAsync(2000);
      groups.answering = Promise.resolve();
      expect(await standing('ann')).toEqual({ member: true, version: 1 });
    } finally {
      jest.useRealTimers();
    }
  });

  it('remembers that a group was dissolved', async () => {
    await standing('ann');
    await groups.change('removed', 'ann', false);
    await groups.stream.publish({
      groupId: 'sea',
      version: 2,
      change: 'dissolved',
      userId: null,
      role: null,
      by: null,
    });
    expect(await standing('ann', 2)).toEqual({ member: false, version: 2 });
  });
});
