import {
  describeWithOwnEngines,
  type Engines,
  fetchOnce,
  Starling,
  startMongo,
  startNats,
  startRedis,
  type StartedProcess,
  until,
} from '@starling/testing';

type EngineName = keyof Engines;

const PATIENCE_MS = 30_000;

/** Which of its readiness checks need which engine, by service. */
const CHECKS: Record<string, Partial<Record<EngineName, string[]>>> = {
  gateway: { nats: ['nats'], redis: ['redis-room-emits', 'redis-room-members'] },
  'message-store': {
    nats: ['nats', 'nats-requests'],
    redis: ['redis-room-emits'],
    mongodb: ['message-store', 'mongodb'],
  },
  groups: { nats: ['nats', 'nats-requests'], mongodb: ['mongodb'] },
  presence: {
    nats: ['nats', 'nats-requests'],
    redis: ['redis-room-emits', 'redis-sessions'],
    mongodb: ['mongodb'],
  },
};

describeWithOwnEngines(['nats', 'redis', 'mongodb'], 'engines that are away', () => {
  let engines: Engines;
  let starling: Starling;

  beforeAll(async () => {
    const [nats, redis, mongodb] = await Promise.all([startNats(), startRedis(), startMongo()]);
    engines = { nats, redis, mongodb };
    starling = new Starling({ profile: 'cluster', cluster: { engines } });
  }, 60_000);
  afterEach(() => starling.closeClients());
  afterAll(async () => {
    await starling
      .dispose()
      .finally(() => Promise.all(Object.values(engines).map((engine) => engine.stop())));
  }, 60_000);

  /** With what was wrong: another reason is another line. */
  function waitingLines({ logs }: StartedProcess): string[] {
    const waiting = logs.filter(({ msg }) => msg?.startsWith('waiting for '));
    return waiting.map(({ msg, reason }) => `${msg} ${String(reason)}`);
  }

  it(
    'are waited for, whatever is started first, with one line for each',
    async () => {
      for (const engine of Object.values(engines)) await engine.kill9();
      const started = starling.start();
      started.catch(() => undefined);
      await until(
        'every process to wait',
        () => {
          const { processes } = starling.cluster;
          return processes.length > 0 && processes.every((process) => waitingLines(process).length > 0);
        },
        2 * PATIENCE_MS,
      );
      for (const engine of [engines.mongodb, engines.redis, engines.nats]) await engine.restart();
      await started;
      for (const process of starling.cluster.processes) {
        const lines = waitingLines(process);
        expect(lines).toEqual([...new Set(lines)]);
      }
      await starling.expectWell();
    },
    6 * PATIENCE_MS,
  );

  interface Report {
    readonly status: number;
    readonly failed: string[];
  }

  async function readiness(port: number): Promise<Report> {
    const response = await fetchOnce(`http://127.0.0.1:${port}/readyz`);
    const { checks } = (await response.json()) as { checks: Record<string, 'ok' | 'failed'> };
    return {
      status: response.status,
      failed: Object.keys(checks)
        .filter((name) => checks[name] === 'failed')
        .sort(),
    };
  }

  /** Says what was reported last when it never is what is expected. */
  async function reported(app: string, port: number, expected: Report): Promise<void> {
    let last: Report | null = null;
    const asExpected = async () => {
      last = await readiness(port);
      return JSON.stringify(last) === JSON.stringify(expected);
    };
    await until(`the readiness of ${app}`, asExpected, PATIENCE_MS).catch(() => undefined);
    expect([app, last]).toEqual([app, expected]);
  }

  it.each<EngineName>(['redis', 'mongodb', 'nats'])(
    'are told by readiness of those who need them, and by nobody else: %s',
    async (name) => {
      const services = starling.cluster.services;
      await engines[name].kill9();
      for (const { app, port } of services) {
        const expected = CHECKS[app]![name] ?? [];
        await reported(app, port, { status: expected.length > 0 ? 503 : 200, failed: expected });
        // Or restarts would spread.
        expect((await fetchOnce(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
        expect((await fetchOnce(`http://127.0.0.1:${port}/metrics`)).status).toBe(200);
      }
      await engines[name].restart();
      for (const { app, port } of services) {
        await reported(app, port, { status: 200, failed: [] });
      }
      await starling.expectWell();
    },
    3 * PATIENCE_MS,
  );
});
