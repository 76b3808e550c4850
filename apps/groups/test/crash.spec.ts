import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { InProcessMembershipStream, type MembershipEvent } from '@starling/bus';
import { SqliteDatabase } from '@starling/storage';
import { StartedProcess, until } from '@starling/testing';
import { pino } from 'pino';
import { GroupsService } from '../src/groups.service.js';
import { OutboxPublisher } from '../src/outbox/outbox-publisher.js';
import { SqliteGroupRepository } from '../src/repository/sqlite-group-repository.js';

const logger = pino({ level: 'silent' });
const TYPESCRIPT = pathToFileURL(resolve('deploy/typescript.mjs')).href;
const PROGRAM = join(__dirname, 'committing-process.ts');
const JOINED: MembershipEvent = {
  groupId: 'g',
  version: 1,
  change: 'added',
  userId: 'ada',
  role: 'owner',
  by: 'ada',
};

describe('a groups service that is killed', () => {
  let folder: string;
  let stop: (() => Promise<void>)[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'starling-groups-'));
    stop = [];
  });

  afterEach(async () => {
    for (const each of stop.reverse()) await each();
    rmSync(folder, { recursive: true });
  });

  async function killedAt(moment: 'before-publish' | 'before-forgetting'): Promise<StartedProcess> {
    const child = new StartedProcess(moment, ['--import', TYPESCRIPT, PROGRAM, folder, moment], {});
    stop.push(async () => {
      await child.end('SIGKILL');
    });
    await child.waitForLog('that it stands still', ({ msg }) => msg === 'standing still');
    expect(await child.end('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
    return child;
  }

  /** `remembered` are events the stream has had from the killed process. */
  async function restarted(remembered: MembershipEvent[] = []) {
    const database = await SqliteDatabase.open(folder);
    stop.push(() => database.close());
    const repository = await SqliteGroupRepository.open(database);
    const stream = new InProcessMembershipStream(logger);
    const seen: MembershipEvent[] = [];
    await stream.follow(
      (event) => seen.push(event),
      () => {},
    );
    for (const event of remembered) await stream.publish(event);
    const outbox = new OutboxPublisher(repository, stream, logger);
    await outbox.onModuleInit();
    stop.push(() => outbox.onApplicationShutdown());
    await until('an empty outbox', async () => (await repository.groupsWithUnpublished(1)).length === 0);
    return { seen, service: new GroupsService(repository, outbox) };
  }

  it('between commit and publish has answered nothing, and publishes once after the restart', async () => {
    const child = await killedAt('before-publish');
    expect(child.logs.some(({ msg }) => msg === 'answered' || msg === 'published')).toBe(false);
    const { seen, service } = await restarted();
    expect(seen).toEqual([JOINED]);
    expect(await service.join('g', 'ada', true)).toMatchObject({ version: 1, role: 'owner', changed: false });
    expect(await service.join('g', 'bob', true)).toMatchObject({ version: 2, role: 'member' });
    expect(seen.map((event) => event.version)).toEqual([1, 2]);
  });

  it('between publish and forgetting publishes again after the restart, without a second effect', async () => {
    const child = await killedAt('before-forgetting');
    const published = child.logs.find(({ msg }) => msg === 'published');
    expect(published?.['event']).toEqual(JOINED);
    const { seen } = await restarted([JOINED]);
    expect(seen).toEqual([JOINED]);
  });
});
