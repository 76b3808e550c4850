import { describeWithEngines } from '@starling/testing';
import { BusOnNats, SILENT } from '../../test/bus-on-nats.js';
import { membershipStreamContract } from '../membership/membership-stream.contract.js';
import { NatsMembershipStream } from './nats-membership-stream.js';

/** One server here. Replicas of a stream and elections of its leader are not tried: NATS_REPLICAS above 1 never was. */
describeWithEngines(['nats'], 'memberships over NATS', () => {
  let bus: BusOnNats;

  beforeAll(async () => {
    bus = await BusOnNats.start();
  });
  afterAll(() => bus.stop());

  const participant = async () =>
    bus.closedAfter(new NatsMembershipStream(await bus.connect(), { replicas: 1 }, SILENT));

  membershipStreamContract('over NATS', async () => ({
    publisher: await participant(),
    newFollower: participant,
    stop: () => bus.clear(),
  }));
});
