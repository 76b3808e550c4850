import { Test } from '@nestjs/testing';
import { Registry } from 'prom-client';
import { BusMetrics } from '../bus-metrics.js';
import { NestRequestClient } from '../requests/nest-request-client.js';
import { ContractModule, requestClientContract } from '../requests/request-client.contract.js';
import { InProcessRequestProxy, InProcessRequestServer } from './in-process-requests.js';

describe('requests in one process', () => {
  requestClientContract(async ({ timeoutMs }) => {
    const server = new InProcessRequestServer();
    const module = await Test.createTestingModule({ imports: [ContractModule] }).compile();
    const app = module.createNestMicroservice({ strategy: server, logger: false });
    await app.listen();
    return {
      client: new NestRequestClient(
        new InProcessRequestProxy(server),
        new BusMetrics(new Registry()),
        timeoutMs,
      ),
      close: () => app.close(),
    };
  });
});
