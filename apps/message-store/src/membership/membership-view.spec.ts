import {
  InProcessMembershipStream,
  type Membership,
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
  readonly asked: string[] = [];
  answering: Promise<void> = Promise.resolve();
  private version = 0;
  private readonly members = new Set<string>();

  async request<Request, Reply>(_: unknown, payload: Request): Promise<Reply> {
    const { groupId, userId } = payload as { groupId: string; userId: string };
    this.asked.push(userId);
    const reply: Membership = {
      groupId,
      version: this.version,
      role: this.members.has(userId) ? 'member' : null,
    };
    await this.answering;
    return reply as Reply;
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
    expect(groups.asked).toEqual(['ann']);
  });

  it('asks once for many questions at a time', async () => {
    const questions = Array.from({ length: 50 }, (_, i) => ({
      groupId: 'sea',
      userId: i % 2 ? 'ann' : 'ben',
      version: 1,
    }));
    const standings = await view.standings(questions);
    expect(standings.map((each) => each?.member)).toEqual(questions.map(({ userId }) => userId === 'ann'));
    expect(groups.asked.sort()).toEqual(['ann', 'ben']);
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
    let release = (): void => undefined;
    groups.answering = new Promise((resolve) => (release = resolve));
    const waiting = standing('ann');
    await groups.change('removed', 'ann');
    release();
    expect(await waiting).toEqual({ member: false, version: 2 });
    expect(await standing('ann')).toEqual({ member: false, version: 2 });
  });

  it('does not take one user of an older version over when a newer one is answered for another', async () => {
    await standing('ann');
    await groups.change('removed', 'ann', false);
    expect(await standing('ben')).toEqual({ member: false, version: 2 });
    expect(await standing('ann')).toEqual({ member: false, version: 2 });
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
      groups.answering = new Promise(() => undefined);
      const first = standing('ann');
      await jest.advanceTimersByTimeAsync(2000);
      expect(await first).toBeNull();
      expect(await standing('ben')).toBeNull();
      // What is asked all the same finds that it is back.
      groups.answering = Promise.resolve();
      expect(await standing('cem')).toBeNull();
      await jest.advanceTimersByTimeAsync(0);
      expect(await standing('dot')).toEqual({ member: false, version: 1 });
      expect(await standing('cem')).toEqual({ member: false, version: 1 });
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
