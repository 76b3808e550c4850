import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  describeWithEngines,
  freshDatabase,
  StartedProcess,
  startMongo,
  type Engine,
} from '@starling/testing';

const TYPESCRIPT = pathToFileURL(resolve('deploy/typescript.mjs')).href;
const MAIN = resolve('apps/migrate/src/main.ts');

describeWithEngines(['mongodb'], 'npm run migrate', () => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await startMongo();
  }, 120_000);

  afterAll(() => engine.stop());

  const migrate = (env: Record<string, string>) =>
    new StartedProcess('migrate', ['--import', TYPESCRIPT, MAIN], env);

  it('prepares a database for every service, may be repeated and run twice at once, and keeps PARTITIONS', async () => {
    const MONGODB_URL = freshDatabase(engine.url);
    const both = [migrate({ MONGODB_URL, PARTITIONS: '4' }), migrate({ MONGODB_URL, PARTITIONS: '4' })];
    for (const each of both) {
      expect(await each.exited).toEqual({ code: 0, signal: null });
      const built = each.logs.filter(({ msg }) => msg === 'the collections are up to date');
      expect(built.map(({ owner }) => owner)).toEqual(['presence', 'groups', 'message-store']);
    }

    const other = migrate({ MONGODB_URL, PARTITIONS: '5' });
    expect(await other.exited).toEqual({ code: 1, signal: null });
    expect(other.logs.at(-1)).toMatchObject({
      level: 'fatal',
      msg: 'PARTITIONS is 5, but the data was written with 4: set PARTITIONS=4',
    });
  }, 120_000);
});
