import type { MembershipEvent } from './membership-event.js';
import type { MembershipFollower, MembershipPublisher } from './membership-stream.js';

export interface MembershipStreamUnderTest {
  readonly publisher: MembershipPublisher;
  /** Another participant, as a second gateway would be; may be the same object where one serves all. */
  newFollower(): Promise<MembershipFollower>;
  stop(): Promise<void>;
}

const DEADLINE_MS = 10_000;

/** What every implementation of MembershipPublisher and MembershipFollower promises. */
export function membershipStreamContract(
  name: string,
  start: () => Promise<MembershipStreamUnderTest>,
): void {
  describe(`membership stream: ${name}`, () => {
    let stream: MembershipStreamUnderTest;

    beforeEach(async () => {
      stream = await start();
    });

    afterEach(async () => {
      await stream.stop();
    });

    async function following(): Promise<FollowerLog> {
      const log = new FollowerLog();
      const follower = await stream.newFollower();
      const subscription = await follower.follow(
        (event) => log.take(event),
        () => log.gaps++,
      );
      log.stop = () => subscription.stop();
      return log;
    }

    it('brings every event published after follow resolved, whole and in the order of versions', async () => {
      const log = await following();
      const events = [
        added('g', 1, 'ada', 'owner'),
        added('g', 2, 'bob', 'member'),
        { groupId: 'g', version: 3, change: 'role', userId: 'bob', role: 'admin', by: 'ada' } as const,
        { groupId: 'g', version: 4, change: 'removed', userId: 'bob', role: null, by: null } as const,
        { groupId: 'g', version: 5, change: 'dissolved', userId: null, role: null, by: 'ada' } as const,
      ];
      for (const event of events) await stream.publisher.publish(event);
      await log.until(5);
      expect(log.events).toEqual(events);
      expect(log.gaps).toBe(0);
    });

    it('keeps the order within each group when publishes are not awaited', async () => {
      const log = await following();
      const publishes: Promise<void>[] = [];
      for (let version = 1; version <= 50; version++) {
        for (const groupId of ['a', 'b', 'c'])
          publishes.push(stream.publisher.publish(added(groupId, version)));
      }
      await Promise.all(publishes);
      await log.until(150);
      for (const groupId of ['a', 'b', 'c']) {
        const versions = log.events
          .filter((event) => event.groupId === groupId)
          .map((event) => event.version);
        expect(versions).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
      }
    });

    it('has no second effect when the same group and version is published again', async () => {
      const log = await following();
      await stream.publisher.publish(added('g', 1));
      await stream.publisher.publish(added('g', 2));
      await stream.publisher.publish(added('g', 1));
      await stream.publisher.publish(added('g', 2));
      await stream.publisher.publish(added('g', 3));
      await log.until(3);
      expect(log.events.map((event) => event.version)).toEqual([1, 2, 3]);
    });

    it('takes the same version of two groups for two events, whatever characters the ids hold', async () => {
      const log = await following();
      const ids = ['__proto__', 'constructor', 'a\'b"c', 'a.b.*.>', 'a b', '群组😀', 'a\u0000b', 'A', 'a'];
      for (const id of ids) await stream.publisher.publish(added(id, 1, id));
      await log.until(ids.length);
      expect(new Set(log.events.map((event) => event.groupId))).toEqual(new Set(ids));
      expect(log.events.every((event) => event.userId === event.groupId)).toBe(true);
    });

    it('brings everything to every follower, to a later one what came after it followed', async () => {
      const early = await following();
      await stream.publisher.publish(added('g', 1));
      await early.until(1);
      const late = await following();
      await stream.publisher.publish(added('g', 2));
      await stream.publisher.publish(added('h', 1));
      await early.until(3);
      await late.until(2);
      expect(early.names()).toEqual(['g1', 'g2', 'h1']);
      expect(late.names().filter((event) => event !== 'g1')).toEqual(['g2', 'h1']);
    });

    it('goes on for all when one follower throws', async () => {
      const failing = await following();
      const well = await following();
      failing.failure = new Error('this follower fails');
      await stream.publisher.publish(added('g', 1));
      await stream.publisher.publish(added('g', 2));
      await well.until(2);
      await failing.until(2);
      expect(well.names()).toEqual(['g1', 'g2']);
      expect(failing.names()).toEqual(['g1', 'g2']);
    });

    it('brings nothing more once stopped, and goes on for the others', async () => {
      const stopped = await following();
      const staying = await following();
      await stream.publisher.publish(added('g', 1));
      await stopped.until(1);
      await stopped.stop();
      await stream.publisher.publish(added('g', 2));
      await staying.until(2);
      expect(stopped.names()).toEqual(['g1']);
    });
  });
}

function added(
  groupId: string,
  version: number,
  userId = `user-${version}`,
  role: 'owner' | 'member' = 'member',
): MembershipEvent {
  return { groupId, version, change: 'added', userId, role, by: userId };
}

class FollowerLog {
  readonly events: MembershipEvent[] = [];
  gaps = 0;
  failure: Error | undefined;
  stop: () => Promise<void> = async () => {};
  private arrived: () => void = () => {};

  take(event: MembershipEvent): void {
    this.events.push(event);
    this.arrived();
    if (this.failure) throw this.failure;
  }

  names(): string[] {
    return this.events.map((event) => `${event.groupId}${event.version}`);
  }

  async until(count: number): Promise<void> {
    const deadline = AbortSignal.timeout(DEADLINE_MS);
    while (this.events.length < count) {
      await new Promise<void>((resolve, reject) => {
        this.arrived = resolve;
        deadline.onabort = () => reject(new Error(`only ${this.events.length} of ${count} events arrived`));
      });
    }
  }
}
