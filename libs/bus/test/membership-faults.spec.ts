import { jetstreamManager } from '@nats-io/jetstream';
import { describeWithOwnEngines, until } from '@starling/testing';
import type { MembershipEvent } from '../src/membership/membership-event.js';
import { MEMBERSHIP_STREAM } from '../src/nats/names.js';
import type { BusConnection } from '../src/nats/nats-connection.js';
import { NatsMembershipStream } from '../src/nats/nats-membership-stream.js';
import { BusOnNats, SILENT } from './bus-on-nats.js';

describeWithOwnEngines(['nats'], 'memberships over NATS when things fail', () => {
  let bus: BusOnNats;
  let publisher: NatsMembershipStream;
  let follower: BusConnection;
  let seen: (number | 'gap')[];
  let version: number;

  beforeAll(async () => {
    bus = await BusOnNats.start();
  });
  afterAll(() => bus.stop());

  beforeEach(async () => {
    seen = [];
    version = 0;
    publisher = await participant(await bus.connect());
    follower = await bus.connect();
    const stream = await participant(follower);
    await stream.follow(
      (event) => seen.push(event.version),
      () => seen.push('gap'),
    );
  });
  afterEach(() => bus.clear());

  const participant = async (connection: BusConnection) =>
    bus.closedAfter(new NatsMembershipStream(connection, { replicas: 1 }, SILENT));

  const manager = async () => jetstreamManager((await bus.connect()).nats, { checkAPI: false });

  /** As the outbox does: again until it is certain. */
  async function publish(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      version += 1;
      const event: MembershipEvent = {
        groupId: 'g',
        version,
        change: 'role',
        userId: 'ada',
        role: 'admin',
        by: 'bob',
      };
      await until('the publish', () =>
        publisher.publish(event).then(
          () => true,
          () => false,
        ),
      );
    }
  }

  const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

  it('brings every event once and in order when the server is killed and comes back', async () => {
    await publish(20);
    const publishing = publish(40);
    await bus.engine.kill9();
    await bus.engine.restart();
    await publishing;
    await until('the last event', () => seen.at(-1) === 60);
    expect(seen).toEqual(upTo(60));
  });

  it('brings what was published while the follower was cut off', async () => {
    for (let i = 0; i < 10; i++) {
      const publishing = publish(20);
      await follower.nats.reconnect();
      await publishing;
    }
    await until('the last event', () => seen.at(-1) === 200);
    expect(seen).toEqual(upTo(200));
  });

  it('brings what was published while the server was stopped', async () => {
    await publish(5);
    bus.engine.pause();
    const publishing = publish(5);
    bus.engine.resume();
    await publishing;
    await until('the last event', () => seen.at(-1) === 10);
    expect(seen).toEqual(upTo(10));
  });

  it('tells a gap when the stream was lost, before anything newer', async () => {
    await publish(3);
    await until('the events', () => seen.length === 3);
    await (await manager()).streams.delete(MEMBERSHIP_STREAM);
    await until('the gap', () => seen.includes('gap'));
    await publish(2);
    await until('the last event', () => seen.at(-1) === 5);
    expect(seen).toEqual([1, 2, 3, 'gap', 4, 5]);
  });

  it('tells a gap when events were removed that the follower had not seen', async () => {
    await publish(4);
    await until('the events', () => seen.length === 4);
    // What a follower finds that was away for longer than events are kept.
    const { streams } = await manager();
    follower.nats.setServers(['127.0.0.1:1']);
    await follower.nats.reconnect();
    await until('the follower to be cut off', () => !follower.isConnected);
    await publish(3);
    await streams.purge(MEMBERSHIP_STREAM);
    follower.nats.setServers([new URL(bus.engine.url).host]);
    await until('the gap', () => seen.includes('gap'));
    await publish(1);
    await until('the last event', () => seen.at(-1) === 8);
    expect(seen).toEqual([1, 2, 3, 4, 'gap', 8]);
  });
});
