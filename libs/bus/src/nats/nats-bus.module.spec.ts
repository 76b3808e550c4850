import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { CONFIG, ConfigurationError, loadConfig } from '@starling/config';
import { createMetrics, ObservabilityModule, ReadinessChecks } from '@starling/observability';
import { describeWithEngines, until } from '@starling/testing';
import { BusOnNats, SILENT } from '../../test/bus-on-nats.js';
import { PARTITION_LEASES, type PartitionLeases } from '../leases/partition-leases.js';
import { MEMBERSHIP_FOLLOWER, MEMBERSHIP_PUBLISHER } from '../membership/membership-stream.js';
import type { MembershipFollower, MembershipPublisher } from '../membership/membership-stream.js';
import { requestPattern } from '../requests/pattern.js';
import { ContractModule } from '../requests/request-client.contract.js';
import { REQUEST_CLIENT, type RequestClient } from '../requests/request-client.js';
import { SUBMIT_LOG, type SubmitLog } from '../submits/submit-log.js';
import { aSubmit } from '../submits/submit-path.contract.js';
import { SUBMIT_PUBLISHER, type SubmitPublisher } from '../submits/submit-publisher.js';
import { NatsBusModule, natsOptionsOf } from './nats-bus.module.js';
import { natsRequestServer } from './nats-requests.js';

/** One server here. Replicas of a stream and elections of its leader are not tried: NATS_REPLICAS above 1 never was. */
describeWithEngines(['nats'], 'NatsBusModule', () => {
  let bus: BusOnNats;

  beforeAll(async () => {
    bus = await BusOnNats.start();
  });
  afterEach(() => bus.clear());
  afterAll(() => bus.stop());

  async function start(env: Record<string, string> = {}) {
    const config = loadConfig({ NATS_URL: bus.url, PARTITIONS: '2', PARTITION_LEASE_MS: '1000', ...env });
    @Module({
      providers: [{ provide: CONFIG, useValue: config }],
      exports: [CONFIG],
    })
    class Configured {}
    const module = await Test.createTestingModule({
      imports: [
        { module: Configured, global: true },
        ObservabilityModule.register({ logger: SILENT, metrics: createMetrics() }),
        NatsBusModule.register('contract'),
        ContractModule,
      ],
    }).compile();
    const app = module.createNestApplication({ logger: false });
    app.connectMicroservice(
      natsRequestServer(natsOptionsOf(config, 'contract'), 'contract', app.get(ReadinessChecks)),
    );
    await app.startAllMicroservices();
    await app.init();
    return app;
  }

  it('gives a process every part of the bus, its readiness, and an end', async () => {
    const app = await start();
    const log = app.get<SubmitLog>(SUBMIT_LOG);
    const leases = app.get<PartitionLeases>(PARTITION_LEASES);
    await leases.start(async ({ partition, ending }) => {
      const reader = await log.open(partition, { position: 0, messageId: null });
      ending.addEventListener('abort', () => void reader.close());
      for (let batch = await reader.next(10); batch.length > 0; batch = await reader.next(10)) {
        for (const received of batch) reader.answer(received, { kind: 'refused', error: 'NOT_A_MEMBER' });
      }
    });
    const publisher = app.get<SubmitPublisher>(SUBMIT_PUBLISHER);
    // As long as the logs are not open yet.
    const isTaken = async () => {
      const outcome = await publisher.submit(aSubmit({ partition: 1 }));
      return outcome.kind === 'refused' && outcome.error === 'NOT_ACCEPTED' ? null : outcome;
    };
    expect(await until('an answer', isTaken)).toEqual({ kind: 'refused', error: 'NOT_A_MEMBER' });
    await leases.stop();

    const seen: number[] = [];
    await app.get<MembershipFollower>(MEMBERSHIP_FOLLOWER).follow(
      ({ version }) => seen.push(version),
      () => undefined,
    );
    const event = { groupId: 'g', version: 1, change: 'added', userId: 'a', role: 'owner', by: 'a' } as const;
    await app.get<MembershipPublisher>(MEMBERSHIP_PUBLISHER).publish(event);
    await until('the event', () => seen.length === 1);

    const greet = requestPattern<{ name: string }, { greeting: string }>('contract.greet');
    const client = app.get<RequestClient>(REQUEST_CLIENT);
    await expect(client.request(greet, { name: 'Ann' })).resolves.toEqual({ greeting: 'hello Ann' });

    const readiness = app.get(ReadinessChecks);
    readiness.started();
    await expect(readiness.report()).resolves.toMatchObject({
      ready: true,
      checks: { nats: 'ok', 'nats-requests': 'ok' },
    });
    await app.close();
    await expect(readiness.report()).resolves.toMatchObject({
      checks: { nats: 'failed', 'nats-requests': 'failed' },
    });
  });

  it('refuses to start when NATS would not take the largest packets, and says what to do', async () => {
    const refusal = start({ MAX_PACKET_BYTES: '400000' });
    await expect(refusal).rejects.toThrow(ConfigurationError);
    await expect(refusal).rejects.toThrow(
      /MAX_PACKET_BYTES of 400000 needs a max_payload of 1749718 in NATS, which has 1048576: .* lower MAX_PACKET_BYTES/,
    );
  });

  it.each([
    ['quotes', '"', 2],
    ['unpaired surrogates', '\ud800', 3],
  ])('carries the largest packet that it starts with, of %s', async (_, character, bytes) => {
    const largest = Math.floor((((1 << 20) - (16 << 10)) * 3) / 13);
    const app = await start({ MAX_PACKET_BYTES: String(largest) });
    const content = character.repeat(largest / bytes);
    const reader = await app.get<SubmitLog>(SUBMIT_LOG).open(0, { position: 0, messageId: null });
    const submitted = app
      .get<SubmitPublisher>(SUBMIT_PUBLISHER)
      .submit(aSubmit({ content, fields: `"content":${JSON.stringify(content)}` }));
    const [received] = await reader.next(1);
    expect(received?.submit.content === content).toBe(true);
    reader.answer(received!, { kind: 'refused', error: 'NOT_A_MEMBER' });
    await expect(submitted).resolves.toMatchObject({ error: 'NOT_A_MEMBER' });
    await reader.close();
    await app.close();
  });
});
