import { Test } from '@nestjs/testing';
import { describeWithEngines } from '@starling/testing';
import { Registry } from 'prom-client';
import { BusMetrics } from '../bus-metrics.js';
import { BusOnNats } from '../../test/bus-on-nats.js';
import { NestRequestClient } from '../requests/nest-request-client.js';
import { ContractModule, requestClientContract } from '../requests/request-client.contract.js';
import { natsRequestProxy, natsRequestServer } from './nats-requests.js';

describeWithEngines(['nats'], 'requests over NATS', () => {
  let bus: BusOnNats;

  beforeAll(async () => {
    bus = await BusOnNats.start();
  });
  afterAll(() => bus.stop());

  requestClientContract(async ({ timeoutMs }) => {
    const options = { servers: [bus.url], name: 'contract' };
    const module = await Test.createTestingModule({ imports: [ContractModule] }).compile();
    const app = module.createNestMicroservice({ ...natsRequestServer(options, 'contract'), logger: false });
    await app.listen();
    const proxy = natsRequestProxy(options);
    return {
      client: new NestRequestClient(proxy, new BusMetrics(new Registry()), timeoutMs),
      close: async () => {
        await proxy.close();
        await app.close();
      },
    };
  });
});
