import { describeWithEngines } from '@starling/testing';
import { BusOnNats } from '../../test/bus-on-nats.js';
import { submitPathContract } from '../submits/submit-path.contract.js';

/** One server here. Replicas of a stream and elections of its leader are not tried: NATS_REPLICAS above 1 never was. */
describeWithEngines(['nats'], 'submits over NATS', () => {
  let bus: BusOnNats;

  beforeAll(async () => {
    bus = await BusOnNats.start();
  });
  afterAll(() => bus.stop());

  submitPathContract(async ({ maxWaiting, deadlineMs }) => ({
    publisher: await bus.publisher({ deadlineMs }),
    log: await bus.log({ maxWaiting }),
    close: () => bus.clear(),
  }));
});
