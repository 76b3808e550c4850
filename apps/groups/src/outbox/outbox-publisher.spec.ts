import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InProcessMembershipStream, type MembershipEvent, type MembershipPublisher } from '@starling/bus';
import { SqliteDatabase } from '@starling/storage';
import { until } from '@starling/testing';
import { pino } from 'pino';
import { GroupsService } from '../groups.service.js';
import { SqliteGroupRepository } from '../repository/sqlite-group-repository.js';
import { OutboxPublisher } from './outbox-publisher.js';

const logger = pino({ level: 'silent' });

/** The way to the stream, which a test can cut and hold up. */
class Way implements MembershipPublisher {
  readonly attempts: string[] = [];
  cut: (event: MembershipEvent) => boolean = () => false;
  open: Promise<void> = Promise.resolve();

  constructor(private readonly stream: InProcessMembershipStream) {}

  async publish(event: MembershipEvent): Promise<void> {
    this.attempts.push(`${event.groupId}${event.version}`);
    await this.open;
    if (this.cut(event)) throw new Error('the way to the stream is cut');
    await this.stream.publish(event);
  }
}

describe('OutboxPublisher', () => {
  let folder: string;
  let database: SqliteDatabase;
  let repository: SqliteGroupRepository;
  let seen: string[];
  let way: Way;
  let outbox: OutboxPublisher;
  let service: GroupsService;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'starling-groups-'));
    database = await SqliteDatabase.open(folder);
    repository = await SqliteGroupRepository.open(database);
    seen = [];
    const stream = new InProcessMembershipStream(logger);
    await stream.follow(
      (event) => seen.push(`${event.groupId}${event.version}`),
      () => {},
    );
    way = new Way(stream);
    outbox = new OutboxPublisher(repository, way, logger);
    await outbox.onModuleInit();
    service = new GroupsService(repository, outbox);
  });

  afterEach(async () => {
    await outbox.onApplicationShutdown();
    await database.close();
    rmSync(folder, { recursive: true });
  });

  const emptied = () =>
    until('an empty outbox', async () => (await repository.groupsWithUnpublished(1)).length === 0);

  it('empties the outbox after publishing', async () => {
    await service.join('g', 'ada', true);
    await service.join('g', 'bob', true);
    await emptied();
    expect(seen).toEqual(['g1', 'g2']);
  });

  it('answers a change only after its event got through, and the later ones of the group after it', async () => {
    way.cut = () => way.attempts.length <= 3;
    const answered: number[] = [];
    await Promise.all(
      ['ada', 'bob', 'cid'].map(async (user) => {
        const { version } = await service.join('g', user, true);
        expect(seen).toContain(`g${version}`);
        answered.push(version);
      }),
    );
    expect(answered).toEqual([1, 2, 3]);
    expect(seen).toEqual(['g1', 'g2', 'g3']);
    expect(way.attempts.slice(0, 4)).toEqual(['g1', 'g1', 'g1', 'g1']);
    await emptied();
  });

  it('goes on with other groups while one cannot be published', async () => {
    way.cut = (event) => event.groupId === 'g';
    const held = service.join('g', 'ada', true);
    await until('an attempt', () => way.attempts.includes('g1'));
    await service.join('h', 'ada', true);
    expect(seen).toEqual(['h1']);
    way.cut = () => false;
    await held;
    expect(seen).toEqual(['h1', 'g1']);
  });

  it('lets a join that changes nothing wait for the join before it to be published', async () => {
    let open = () => {};
    way.open = new Promise((resolve) => (open = resolve));
    const answers: string[] = [];
    const first = service.join('g', 'ada', true).then(() => answers.push('first'));
    await until('an attempt', () => way.attempts.length > 0);
    const again = service.join('g', 'ada', true).then((change) => {
      expect(change.changed).toBe(false);
      expect(seen).toEqual(['g1']);
      answers.push('again');
    });
    await repository.read('g', ['ada']);
    expect(answers).toEqual([]);
    open();
    await Promise.all([first, again]);
    expect(answers).toEqual(['first', 'again']);
  });

  it('does not take an empty outbox for the publish of a change committed after that was read', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const read = repository.unpublished.bind(repository);
    let emptyRead = false;
    repository.unpublished = async (groupId, limit) => {
      const events = await read(groupId, limit);
      if (events.length === 0 && !emptyRead) {
        emptyRead = true;
        await held;
      }
      return events;
    };
    const forget = repository.forgetPublished.bind(repository);
    const others: Promise<void>[] = [];
    repository.forgetPublished = async (groupId, upTo) => {
      // Or nobody waits any more, and it is not read again.
      others.push(outbox.settled(groupId, upTo));
      await forget(groupId, upTo);
    };
    await service.join('g', 'ada', true);
    await until('a read of the empty outbox', () => emptyRead);
    const second = service.join('g', 'bob', true).then(() => expect(seen).toEqual(['g1', 'g2']));
    await until('the second commit', async () => (await read('g', 1)).length > 0);
    // The commit is on disk; its answer is on the way, and reads are answered after it.
    await repository.read('g', ['bob']);
    release();
    await second;
    await Promise.all(others);
  });

  it('publishes at the start what another process left, in order', async () => {
    for (let from = 0; from < 250; from++) {
      await repository.commit({
        groupId: 'left',
        from,
        policy: 'open',
        events: [
          {
            groupId: 'left',
            version: from + 1,
            change: 'added',
            userId: `user-${from}`,
            role: from === 0 ? 'owner' : 'member',
            by: null,
          },
        ],
      });
    }
    await outbox.onApplicationShutdown();
    outbox = new OutboxPublisher(repository, way, logger);
    await outbox.onModuleInit();
    await emptied();
    expect(seen).toEqual(Array.from({ length: 250 }, (_, index) => `left${index + 1}`));
  }, 120_000);

  it('publishes without a command what another process left while this one runs', async () => {
    const events = [
      { groupId: 'g', version: 1, change: 'added', userId: 'ada', role: 'owner', by: null } as const,
    ];
    await repository.commit({ groupId: 'g', from: 0, policy: 'open', events });
    await emptied();
    expect(seen).toEqual(['g1']);
  });

  it('stops without losing what could not be published: who waits is told, the next start goes on', async () => {
    way.cut = () => true;
    const refused = expect(service.join('g', 'ada', true)).rejects.toMatchObject({ error: 'SHUTTING_DOWN' });
    await until('an attempt', () => way.attempts.length > 0);
    await outbox.onApplicationShutdown();
    await refused;
    expect(seen).toEqual([]);
    way.cut = () => false;
    outbox = new OutboxPublisher(repository, way, logger);
    await outbox.onModuleInit();
    await emptied();
    expect(seen).toEqual(['g1']);
  });
});
