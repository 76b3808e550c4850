import type { INestMicroservice } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { ReadinessChecks } from '@starling/observability';
import { describeWithEngines, Line, until } from '@starling/testing';
import { Registry } from 'prom-client';
import { BusMetrics } from '../bus-metrics.js';
import { BusOnNats, SILENT } from '../../test/bus-on-nats.js';
import { NestRequestClient } from '../requests/nest-request-client.js';
import { ContractModule, Greet, Hang, requestClientContract } from '../requests/request-client.contract.js';
import { checkRequestProxy, natsRequestProxy, natsRequestServer } from './nats-requests.js';

/** One server here. That requests go on at another server of a cluster of NATS cannot be tried without one. */
describeWithEngines(['nats'], 'requests over NATS', () => {
  let bus: BusOnNats;

  beforeAll(async () => {
    bus = await BusOnNats.start();
  });
  afterAll(() => bus.stop());

  requestClientContract(async ({ timeoutMs }) => {
    const app = await serve(bus.url);
    const proxy = natsRequestProxy({ servers: [bus.url], name: 'client' });
    return {
      client: new NestRequestClient(proxy, new BusMetrics(new Registry()), timeoutMs),
      close: async () => {
        await proxy.close();
        await app.close();
      },
    };
  });

  it('refuses what has no reply at once when the connection is lost, which no reply outlives', async () => {
    const app = await serve(bus.url);
    const line = await Line.to(bus.url);
    const proxy = natsRequestProxy({ servers: [line.url], name: 'client' });
    const client = new NestRequestClient(proxy, new BusMetrics(new Registry()), 60_000);
    await client.request(Greet, { name: 'Ann' });
    const refusals = [1, 2].map(() => client.request(Hang, {}).catch((error: unknown) => error));
    line.cut();
    for (const refusal of refusals) expect(await refusal).toMatchObject({ error: 'UNAVAILABLE' });
    const again = async () => client.request(Greet, { name: 'Ben' }).catch(() => null);
    expect(await until('the next reply', again)).toEqual({ greeting: 'hello Ben' });
    await proxy.close();
    await line.close();
    await app.close();
  });

  it('are told by readiness of each side when its own connection is lost, and when it is there again', async () => {
    const [asking, answering] = [await Line.to(bus.url), await Line.to(bus.url)];
    const readiness = new ReadinessChecks(SILENT, 500);
    const app = await serve(answering.url, undefined, readiness);
    const proxy = natsRequestProxy({ servers: [asking.url], name: 'client' });
    readiness.add('asking', () => checkRequestProxy(proxy));
    const checks = async () => (await readiness.report()).checks;
    expect(await checks()).toEqual({ asking: 'ok', 'nats-requests': 'ok' });
    const client = new NestRequestClient(proxy, new BusMetrics(new Registry()));
    await client.request(Greet, { name: 'Ann' });

    for (const [side, line] of [
      ['asking', asking],
      ['nats-requests', answering],
    ] as const) {
      line.refuse();
      line.cut();
      await until('the loss to be told', async () => (await checks())[side] === 'failed');
      expect(await checks()).toEqual({ asking: 'ok', 'nats-requests': 'ok', [side]: 'failed' });
      line.accept();
      await until('readiness', async () => (await checks())[side] === 'ok');
      expect(await client.request(Greet, { name: side })).toEqual({ greeting: `hello ${side}` });
    }
    await proxy.close();
    await app.close();
    await Promise.all([asking.close(), answering.close()]);
  });

  it('leaves a server that takes nothing more, though it has much to send to it', async () => {
    const app = await serve(bus.url);
    const line = await Line.to(bus.url);
    const proxy = natsRequestProxy({ servers: [line.url], name: 'client' });
    const client = new NestRequestClient(proxy, new BusMetrics(new Registry()), 60_000);
    await client.request(Greet, { name: 'Ann' });
    line.silence('to the engine');
    const refusals = MANY.map((name) => client.request(Greet, { name }).catch((error: unknown) => error));
    expect(await Promise.all(refusals)).toEqual(
      MANY.map(() => expect.objectContaining({ error: 'UNAVAILABLE' })),
    );
    line.resume();
    const again = async () => client.request(Greet, { name: 'Ben' }).catch(() => null);
    expect(await until('the next reply', again)).toEqual({ greeting: 'hello Ben' });
    await proxy.close();
    await line.close();
    await app.close();
  });

  it('leaves it on the side that answers, too', async () => {
    const line = await Line.to(bus.url);
    const app = await serve(line.url);
    const proxy = natsRequestProxy({ servers: [bus.url], name: 'client' });
    const client = new NestRequestClient(proxy, new BusMetrics(new Registry()), 1000);
    await client.request(Greet, { name: 'Ann' });
    line.silence('to the engine');
    const replies = MANY.map((name) => client.request(Greet, { name }).catch(() => null));
    await until('another connection', () => line.count > 1);
    await Promise.all(replies);
    line.resume();
    const again = async () => client.request(Greet, { name: 'Ben' }).catch(() => null);
    expect(await until('the next reply', again)).toEqual({ greeting: 'hello Ben' });
    await proxy.close();
    await app.close();
    await line.close();
  });
});

/** More than the system takes of a socket. */
const MANY = Array.from({ length: 64 }, () => 'x'.repeat(1 << 19));

/** No other server of the service is there, which would answer in its place. */
describeWithEngines(['nats'], 'the server of requests over NATS', () => {
  it('carries out nothing that was asked before its process stood still: who asked may have given up', async () => {
    const bus = await BusOnNats.start();
    const line = await Line.to(bus.url);
    const app = await serve(line.url, 1000);
    const { nats } = await bus.connect();
    const greet = async (name: string): Promise<unknown> => {
      const request = JSON.stringify({ pattern: Greet.name, data: { name }, id: name });
      return (await nats.request(Greet.name, request, { timeout: 20_000 })).json();
    };
    try {
      expect(await greet('Ann')).toMatchObject({ response: { greeting: 'hello Ann' } });
      line.silence('from the engine');
      const waiting = greet('Ben');
      await nats.flush();
      standStill(1500);
      line.resume();
      expect(await waiting).toMatchObject({ id: 'Ben', err: { refusal: 'UNAVAILABLE' } });
      const again = async () => 'response' in ((await greet('Cem')) as object);
      await until('requests to be carried out again', again);
    } finally {
      await app.close();
      await line.close();
      await bus.stop();
    }
  });
});

async function serve(
  url: string,
  stillMs?: number,
  readiness = new ReadinessChecks(SILENT),
): Promise<INestMicroservice> {
  const module = await Test.createTestingModule({ imports: [ContractModule] }).compile();
  const server = natsRequestServer({ servers: [url], name: 'server' }, 'contract', readiness, stillMs);
  const app = module.createNestMicroservice({ ...server, logger: false });
  await app.listen();
  return app;
}

/** As a process that is stopped by a signal does. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
