import {
  describeWithOwnEngines,
  type Edit,
  type Engines,
  Starling,
  startMongo,
  startNats,
  startRedis,
} from '@starling/testing';
import { CONDITIONS } from './alterations/conditions.js';
import { DELIBERATE_BUGS, type DeliberateBug } from './deliberate-bugs.js';
import { type Exercise, Talk } from './exercises/talk.js';

const ENV = {
  // One leader, so that every message passes the store that is disturbed.
  PARTITIONS: '1',
  PARTITION_LEASE_MS: '1500',
  FEED_CHECK_MS: '300',
  RECONNECT_WINDOW_MS: '0',
};

/** What the product needs for any of the exercises is a fraction of it. */
const PATIENCE_MS = 30_000;
/** Of a run that a bug is to spoil: longer only makes it last longer. */
const BUG_PATIENCE_MS = 3_000;

const EXERCISES = [...new Set(DELIBERATE_BUGS.map(({ exercise }) => exercise))];

type Altered = DeliberateBug['app'];
const APPS: readonly Altered[] = ['gateway', 'groups', 'message-store'];

/** The checker would be worth nothing if it found nothing wrong with a product that is wrong. */
describeWithOwnEngines(['nats', 'redis', 'mongodb'], 'the checker', () => {
  let engines: Engines;
  let starling: Starling;
  /** What runs now. */
  const edits = new Map<Altered, readonly Edit[]>();

  beforeAll(async () => {
    const [nats, redis, mongodb] = await Promise.all([startNats(), startRedis(), startMongo()]);
    engines = { nats, redis, mongodb };
    starling = new Starling({ profile: 'cluster', env: ENV, cluster: { gateways: 2, stores: 2, engines } });
    for (const app of APPS) alter(app, null);
    await starling.start();
  }, 120_000);
  afterEach(() => starling.closeClients());
  afterAll(async () => {
    // What the last bug did to them is no reason not to end them.
    await starling.dispose().catch(() => starling.kill9());
    await Promise.all(Object.values(engines).map((engine) => engine.stop()));
  }, 60_000);

  /** False when the app runs so already. */
  function alter(app: Altered, bug: DeliberateBug | null): boolean {
    const own = bug?.app === app ? bug.edits : [];
    const wanted = [...CONDITIONS[app], ...own];
    if (JSON.stringify(edits.get(app)) === JSON.stringify(wanted)) return false;
    edits.set(app, wanted);
    const name = bug?.name ?? 'the conditions of the exercises';
    starling.cluster.alter(app, wanted.length > 0 ? { name, edits: wanted } : null);
    return true;
  }

  /** All processes of the cluster as the bug has them, or as they ought to be, and running. */
  async function arrange(bug: DeliberateBug | null): Promise<void> {
    const { cluster } = starling;
    const restarts = APPS.flatMap((app) => {
      const altered = alter(app, bug);
      return cluster.of(app).filter(({ process }) => altered || process.exit !== null);
    });
    await Promise.all(
      restarts.map(async (service) => {
        await service.process.end('SIGTERM');
        await cluster.restart(service);
      }),
    );
  }

  async function verdictsOf(exercise: Exercise, patienceMs: number): Promise<string[]> {
    const talk = new Talk(starling, patienceMs);
    await exercise.run(talk);
    return talk.verdicts();
  }

  it.each(EXERCISES)(
    'finds nothing wrong with the product as it is: $name',
    async (exercise) => {
      await arrange(null);
      expect(await verdictsOf(exercise, PATIENCE_MS)).toEqual([]);
    },
    120_000,
  );

  it.each(DELIBERATE_BUGS)(
    'finds a deliberate bug: $name',
    async (bug) => {
      await arrange(bug);
      const verdicts = await verdictsOf(bug.exercise, BUG_PATIENCE_MS);
      const broken = new Set(verdicts.map((text) => text.slice(0, text.indexOf(':'))));
      expect([...broken]).toEqual(expect.arrayContaining([...bug.broken]));
    },
    120_000,
  );
});
