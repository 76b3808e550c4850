import type { INestMicroservice } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { describeWithEngines, Line, until } from '@starling/testing';
import { Registry } from 'prom-client';
import { BusMetrics } from '../bus-metrics.js';
import { BusOnNats } from '../../test/bus-on-nats.js';
import { NestRequestClient } from '../requests/nest-request-client.js';
import { ContractModule, Greet, Hang, requestClientContract } from '../requests/request-client.contract.js';
import { natsRequestProxy, natsRequestServer } from './nats-requests.js';

/** One server here. That requests go on at another server of a cluster of NATS cannot be tried without one. */
describeWithEngines(['nats'], 'requests over NATS', () => {
  let bus: BusOnNats;

  beforeAll(async () => {
    bus = await BusOnNats.start();
  });
  afterAll(() => bus.stop());

  async function serve({
    stillMs,
    url = bus.url,
  }: { stillMs?: number; url?: string } = {}): Promise<INestMicroservice> {
    const module = await Test.createTestingModule({ imports: [ContractModule] }).compile();
    const server = natsRequestServer({ servers: [url], name: 'server' }, 'contract', stillMs);
    const app = module.createNestMicroservice({ ...server, logger: false });
    await app.listen();
    return app;
  }

  requestClientContract(async ({ timeoutMs }) => {
    const app = await serve();
    const proxy = natsRequestProxy({ servers: [bus.url], name: 'client' });
    return {
      client: new NestRequestClient(proxy, new BusMetrics(new Registry()), timeoutMs),
      close: async () => {
        await proxy.close();
        await app.close();
      },
    };
  });

  it('carries out nothing that was asked before its process stood still: who asked may have given up', async () => {
    const app = await serve({ stillMs: 1000 });
    const proxy = natsRequestProxy({ servers: [bus.url], name: 'client' });
    const client = new NestRequestClient(proxy, new BusMetrics(new Registry()), 60_000);
    await client.request(Greet, { name: 'Ann' });
    const waiting = client.request(Greet, { name: 'Ben' }).catch((error: unknown) => error);
    await new Promise(setImmediate);
    standStill(1500);
    expect(await waiting).toMatchObject({ error: 'UNAVAILABLE' });
    const again = async () => client.request(Greet, { name: 'Cem' }).catch(() => null);
    expect(await until('the next reply', again)).toEqual({ greeting: 'hello Cem' });
    standStill(500);
    expect(await client.request(Greet, { name: 'Dan' })).toEqual({ greeting: 'hello Dan' });
    await proxy.close();
    await app.close();
  });

  it('refuses what has no reply at once when the connection is lost, which no reply outlives', async () => {
    const app = await serve();
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

  it('leaves a server that takes nothing more, though it has much to send to it', async () => {
    const app = await serve();
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
    const app = await serve({ url: line.url });
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

/** As a process that is stopped by a signal does. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
