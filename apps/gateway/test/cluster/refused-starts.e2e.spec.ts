import {
  describeWithOwnEngines,
  type Engines,
  Starling,
  startMongo,
  startNats,
  startRedis,
} from '@starling/testing';

const SERVICES_WITH_COLLECTIONS = ['message-store', 'groups', 'presence'];

describeWithOwnEngines(['nats', 'redis', 'mongodb'], 'a cluster on a MongoDB without transactions', () => {
  let engines: Engines;
  let starling: Starling;

  beforeAll(async () => {
    const mongodb = startMongo({ standalone: true });
    engines = { nats: await startNats(), redis: await startRedis(), mongodb: await mongodb };
    starling = new Starling({ profile: 'cluster', cluster: { engines } });
  }, 120_000);
  afterAll(async () => {
    await starling
      .dispose()
      .finally(() => Promise.all(Object.values(engines).map((engine) => engine.stop())));
  }, 60_000);

  it('is not started: every service that has collections says what to do, and ends', async () => {
    const advice = /standalone server, which has no transactions.*--replSet.*rs\.initiate\(\)/;
    // The migration is the first that is waited for.
    await expect(starling.start()).rejects.toThrow(advice);
    for (const app of SERVICES_WITH_COLLECTIONS) {
      const service = starling.cluster.processes.find(({ name }) => name === app)!;
      expect(await service.exited).toEqual({ code: 1, signal: null });
      const last = service.logs.at(-1);
      expect(last).toMatchObject({ level: 'fatal', msg: expect.stringMatching(advice) });
    }
  });
});
