import { groupConversation, privateConversation } from '@starling/protocol';
import { StorageStartError, MongoDatabase } from '@starling/storage';
import { describeWithEngines, freshDatabase, startMongo, type Engine } from '@starling/testing';
import { pino } from 'pino';
import { messageRepositoryContract, PARTITIONS_OF_CONTRACT } from './message-repository.contract.js';
import type { Batch, HeadMove } from './message-repository.js';
import { migrateMessages } from './mongo-message-collections.js';
import { MongoMessageRepository } from './mongo-message-repository.js';

const logger = pino({ level: 'silent' });
const SEA = groupConversation('sea');

/** One message for each of as many groups, each after `from` others. */
function batchOf(epoch: number, groups: number, from = 0, body = '"content":"hello"'): Batch {
  const start = from * groups;
  const heads: HeadMove[] = [];
  const messages = Array.from({ length: groups }, (_, index) => {
    const conversation = groupConversation(`group ${index}`);
    const seq = from + 1;
    const position = start + index + 1;
    const messageId = `m${position}`;
    heads.push({ conversation, from, to: { seq, position }, participants: [] });
    const places = { partition: 0, position, previousPosition: Math.max(0, position - groups) };
    const message = { conversation, seq, messageId, sender: 'ann', serverTime: 1, ...places };
    return { message: { ...message, membershipVersion: 1, body }, dedupeKey: messageId };
  });
  const to = { position: start + groups, messageId: `m${start + groups}` };
  return { partition: 0, epoch, from: start, to, messages, heads, setAside: null };
}

/** One server here. Elections, rollback and lag of a replica set cannot be tried without one of several members. */
describeWithEngines(['mongodb'], 'a message store in MongoDB', () => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await startMongo();
  }, 120_000);

  afterAll(() => engine.stop());

  async function start() {
    const url = `${freshDatabase(engine.url)}&monitorCommands=true`;
    const databases = [await MongoDatabase.connect(url, logger)];
    await migrateMessages(databases[0]!, PARTITIONS_OF_CONTRACT);
    const another = async () => {
      const database = await MongoDatabase.connect(url, logger);
      databases.push(database);
      return database;
    };
    return {
      repository: await MongoMessageRepository.open(databases[0]!, PARTITIONS_OF_CONTRACT),
      reopen: async (partitions = PARTITIONS_OF_CONTRACT) =>
        MongoMessageRepository.open(await another(), partitions),
      stop: async () => {
        await databases[0]?.connection.dropDatabase();
        for (const database of databases) await database.close();
      },
      database: databases[0]!,
      another,
    };
  }

  messageRepositoryContract('MongoDB', start);

  describe('beyond the contract', () => {
    let started: Awaited<ReturnType<typeof start>>;
    let repository: MongoMessageRepository;

    beforeEach(async () => {
      started = await start();
      repository = started.repository;
    });

    afterEach(() => started.stop());

    /** The commands that `work` sends, in order. */
    async function commandsOf(work: () => Promise<unknown>): Promise<Record<string, unknown>[]> {
      const commands: Record<string, unknown>[] = [];
      const client = started.database.connection.getClient();
      const listen = ({ command }: { command: object }) => commands.push(command as Record<string, unknown>);
      client.on('commandStarted', listen);
      await work();
      client.off('commandStarted', listen);
      return commands;
    }

    it('refuses to start with another number of partitions, naming PARTITIONS', async () => {
      const { reopen, database } = started;
      const message = 'PARTITIONS is 5, but the data was written with 3: set PARTITIONS=3';
      await expect(reopen(5)).rejects.toThrow(new StorageStartError(message));
      await expect(migrateMessages(database, 5)).rejects.toThrow(new StorageStartError(message));
      await expect(reopen()).resolves.toBeDefined();
    });

    it('takes a partition over at once from a leader that stopped in the middle of a commit', async () => {
      const stopped = await started.another();
      const written = Promise.withResolvers<void>();
      const transaction = stopped.transaction.bind(stopped);
      stopped.transaction = (work, session) =>
        transaction(async (own) => {
          await work(own);
          written.resolve();
          return new Promise<never>(() => undefined);
        }, session);
      const former = await MongoMessageRepository.open(stopped, PARTITIONS_OF_CONTRACT);
      const { epoch: formerEpoch } = await former.takeEpoch(0);
      void former.commit(batchOf(formerEpoch, 2)).catch(() => undefined);
      await written.promise;

      const begun = Date.now();
      const { epoch, position } = await repository.takeEpoch(0);
      expect(position).toBe(0);
      expect(await repository.commit(batchOf(epoch, 2))).toBe('committed');
      // A minute would be the server's own patience.
      expect(Date.now() - begun).toBeLessThan(10_000);
      expect(await repository.positions()).toEqual([2, 0, 0]);
    });

    it('tells a leader that slept that its commit is void', async () => {
      const former = await started.reopen();
      const { epoch: formerEpoch } = await former.takeEpoch(0);
      const { epoch } = await repository.takeEpoch(0);
      expect(await former.commit(batchOf(formerEpoch, 1))).toBe('void');
      expect(await repository.commit(batchOf(epoch, 1))).toBe('committed');
    });

    it('costs the same few round trips for one message and for many', async () => {
      const { epoch } = await repository.takeEpoch(0);
      const names = async (batch: Batch) => {
        const commands = await commandsOf(async () => {
          expect(await repository.commit(batch)).toBe('committed');
        });
        return commands.map((command) => Object.keys(command)[0]);
      };
      const first = ['update', 'insert', 'insert', 'commitTransaction'];
      const later = ['update', 'insert', 'update', 'commitTransaction'];
      expect(await names(batchOf(epoch, 300))).toEqual(first);
      expect(await names(batchOf(epoch, 300, 1))).toEqual(later);
      const one = batchOf(epoch, 1);
      const to = { position: 601, messageId: 'x' };
      const [{ message }] = one.messages as [(typeof one.messages)[0]];
      const single = { message: { ...message, conversation: SEA, position: 601 }, dedupeKey: 'x' };
      const heads = [{ conversation: SEA, from: 0, to: { seq: 1, position: 601 }, participants: [] }];
      expect(await names({ ...one, from: 600, to, messages: [single], heads })).toEqual(first);
    });

    it('writes journaled by a majority, and reads what a majority has', async () => {
      const { epoch } = await repository.takeEpoch(0);
      const commands = await commandsOf(async () => {
        await repository.commit(batchOf(epoch, 1));
        await repository.heads([SEA]);
        await repository.moveReadCursor('ann', groupConversation('group 0'), 1);
      });
      const of = (name: string) => commands.filter((command) => name in command);
      for (const command of [
        ...of('commitTransaction'),
        ...of('insert').filter((c) => !('txnNumber' in c)),
      ]) {
        expect(command['writeConcern']).toMatchObject({ w: 'majority', j: true });
      }
      expect(of('commitTransaction')).toHaveLength(1);
      expect(of('find').length).toBeGreaterThan(1);
      for (const command of of('find')) expect(command['readConcern']).toMatchObject({ level: 'majority' });
    });

    it('scans no collection, whatever is asked', async () => {
      const { epoch } = await repository.takeEpoch(0);
      await repository.commit(batchOf(epoch, 3));
      const commands = await commandsOf(async () => {
        await repository.partition(0);
        await repository.heads([SEA]);
        await repository.stored([{ conversation: SEA, key: 'key' }]);
        await repository.messages([{ conversation: SEA, from: 1, to: 2 }]);
        await repository.messagePositions({ conversation: SEA, from: 1, to: 2 });
        await repository.touchedIn(0, 0, 1);
        await repository.touchedOf('ann', [SEA], [0, 0, 0], 1);
        await repository.privateConversations('ann', privateConversation('a', 'b'), 1);
        await repository.readCursors('ann', [SEA]);
        await repository.loadReplay('ann', 0);
        await repository.saveReplay([], 0, 0);
      });
      const finds = commands.filter((command) => 'find' in command);
      expect(finds.length).toBeGreaterThan(10);
      for (const { find, filter, sort, limit } of finds) {
        const explained = await started.database.connection.db!.command({
          explain: { find, filter, ...(sort ? { sort } : {}), ...(limit ? { limit } : {}) },
          verbosity: 'queryPlanner',
        });
        const plan = JSON.stringify((explained['queryPlanner'] as { winningPlan: object }).winningPlan);
        expect({ find, filter, scans: plan.includes('COLLSCAN') }).toEqual({ find, filter, scans: false });
      }
    });

    it('refuses what is larger than a document may be, and only that', async () => {
      const { epoch } = await repository.takeEpoch(0);
      expect(await repository.commit(batchOf(epoch, 1, 0, 'x'.repeat(17 << 20)))).toBe('unstorable');
      expect(await repository.commit(batchOf(epoch, 500, 0, 'x'.repeat(1000)))).toBe('committed');
    });
  });
});
