import { describeWithEngines } from '@starling/testing';
import { BusOnNats } from '../../test/bus-on-nats.js';
import { submitPathContract } from '../submits/submit-path.contract.js';

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
