import { Writable } from 'node:stream';
import { pino } from 'pino';
import type { MembershipEvent } from '../membership/membership-event.js';
import { membershipStreamContract } from '../membership/membership-stream.contract.js';
import { InProcessMembershipStream } from './in-process-membership-stream.js';

membershipStreamContract('in process', async () => {
  const stream = new InProcessMembershipStream(pino({ level: 'silent' }));
  return { publisher: stream, newFollower: async () => stream, stop: async () => {} };
});

describe('InProcessMembershipStream', () => {
  const event: MembershipEvent = {
    groupId: 'g',
    version: 1,
    change: 'added',
    userId: 'ada',
    role: 'owner',
    by: 'ada',
  };

  it('has brought an event to its followers when the publish resolves', async () => {
    const stream = new InProcessMembershipStream(pino({ level: 'silent' }));
    const seen: MembershipEvent[] = [];
    await stream.follow(
      (arrived) => seen.push(arrived),
      () => {},
    );
    await stream.publish(event);
    expect(seen).toEqual([event]);
  });

  it('logs the error of a follower that throws', async () => {
    const lines: string[] = [];
    const sink = new Writable({
      write(chunk: Buffer, _encoding, done) {
        lines.push(chunk.toString());
        done();
      },
    });
    const stream = new InProcessMembershipStream(pino(sink));
    await stream.follow(
      () => {
        throw new Error('this follower fails');
      },
      () => {},
    );
    await stream.publish(event);
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({
      level: 50,
      groupId: 'g',
      version: 1,
      err: { message: 'this follower fails' },
    });
  });
});
