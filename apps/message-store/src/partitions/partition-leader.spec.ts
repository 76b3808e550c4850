import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Global, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  InProcessBusModule,
  InProcessMembershipStream,
  partitionOf,
  SUBMIT_LOG,
  SUBMIT_PUBLISHER,
  type LossRecord,
  type RequestClient,
  type Submit,
  type SubmitLog,
  type SubmitOutcome,
  type SubmitPublisher,
} from '@starling/bus';
import { CONFIG } from '@starling/config';
import { LOGGER, METRICS } from '@starling/observability';
import { encodeId, groupConversation, privateConversation, type ConversationKey } from '@starling/protocol';
import {
  groupRoom,
  userRoom,
  type HeadEvent,
  type MessageEvent,
  type RoomEvent,
  type RoomName,
} from '@starling/rooms';
import { SqliteDatabase } from '@starling/storage';
import { until } from '@starling/testing';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { Delivery } from '../delivery/delivery.js';
import { MembershipView } from '../membership/membership-view.js';
import type { Batch, CommitResult } from '../repository/message-repository.js';
import { SqliteMessageRepository } from '../repository/sqlite-message-repository.js';
import { PartitionLeader } from './partition-leader.js';
import { StoreMetrics } from './store-metrics.js';

const PARTITIONS = 1;
const SEA = groupConversation('sea');
const ANN_BEN = privateConversation('ann', 'ben');
const logger = pino({ level: 'silent' });

@Global()
@Module({
  providers: [
    { provide: CONFIG, useValue: { SUBMIT_LOG_MAX: 10_000, SUBMIT_DEADLINE_MS: 10_000 } },
    { provide: LOGGER, useValue: logger },
    { provide: METRICS, useFactory: () => new Registry() },
  ],
  exports: [CONFIG, LOGGER, METRICS],
})
class SettingsModule {}

/** Everybody but `stranger` is a member of every group, since version 3. */
const groups: RequestClient = {
  request: async <Request, Reply>(_: unknown, payload: Request) => {
    const { groupId, userIds } = payload as { groupId: string; userIds: string[] };
    return { groupId, version: 3, members: userIds.filter((userId) => userId !== 'stranger') } as Reply;
  },
};

describe('PartitionLeader', () => {
  let folder: string;
  let database: SqliteDatabase;
  let repository: SqliteMessageRepository;
  let log: SubmitLog;
  let publisher: SubmitPublisher;
  let membership: MembershipView;
  let metrics: StoreMetrics;
  let registry: Registry;
  let emitted: [RoomName, MessageEvent][];
  let announced: [RoomName, HeadEvent][];
  let leader: PartitionLeader;
  let losses: LossRecord[];
  let lease: { partition: number; isHeld: boolean };
  let packets = 0;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'starling-leader-'));
    database = await SqliteDatabase.open(folder);
    repository = await SqliteMessageRepository.open(database, PARTITIONS);
    const bus = await Test.createTestingModule({ imports: [SettingsModule, InProcessBusModule] }).compile();
    log = bus.get(SUBMIT_LOG);
    publisher = bus.get(SUBMIT_PUBLISHER);
    membership = new MembershipView(new InProcessMembershipStream(logger), groups, logger);
    await membership.start();
    registry = new Registry();
    metrics = new StoreMetrics(registry);
    emitted = [];
    announced = [];
    losses = [];
    lease = { partition: 0, isHeld: true };
    leader = newLeader();
    await leader.start();
  });

  afterEach(async () => {
    await leader.stop();
    await membership.stop();
    await database.close();
    rmSync(folder, { recursive: true });
  });

  function newLeader(): PartitionLeader {
    const emitter = {
      emit: (room: RoomName, event: RoomEvent) => {
        if (event.kind === 'message') emitted.push([room, event]);
        if (event.kind === 'head') announced.push([room, event]);
      },
    };
    return new PartitionLeader({
      lease,
      partitions: PARTITIONS,
      batchMax: 500,
      repository,
      log,
      membership,
      delivery: new Delivery(emitter, metrics, logger, null),
      metrics,
      logger,
      tracer: null,
      onLoss: (loss) => losses.push(loss),
    });
  }

  async function startAnother(): Promise<void> {
    await leader.stop();
    leader = newLeader();
    await leader.start();
  }

  function submit(overrides: Partial<Submit> = {}): Promise<SubmitOutcome> {
    packets += 1;
    const content = overrides.content ?? `hello ${packets}`;
    return publisher.submit({
      messageId: `gateway-${packets}`,
      partition: 0,
      conversation: SEA,
      sender: 'ann',
      clientId: packets,
      contentType: 0,
      content,
      fields: `"content":${JSON.stringify(content)}`,
      membershipVersion: 3,
      ...overrides,
    });
  }

  const stored = (conversation: ConversationKey = SEA) =>
    repository.messages([{ conversation, from: 1, to: Number.MAX_SAFE_INTEGER }]);
  const seqs = async (conversation: ConversationKey = SEA) =>
    (await stored(conversation)).map(({ seq }) => seq);
  const emittedSeqs = () => emitted.map(([, { seq }]) => seq);
  const valueOf = async (name: string) =>
    Object.fromEntries(
      ((await registry.getSingleMetric(name)?.get())?.values ?? []).map(({ labels, value }) => [
        Object.values(labels).join() || 'value',
        value,
      ]),
    );

  /** Commits go through `change`, which may make the real one or not. */
  function interfere(
    change: (commit: () => Promise<CommitResult>, batch: Batch) => Promise<CommitResult>,
  ): void {
    const commit = repository.commit.bind(repository);
    repository.commit = (batch) => change(() => commit(batch), batch);
  }

  it('stores, answers and emits in one order', async () => {
    const outcomes = await Promise.all([
      submit(),
      submit(),
      submit({ conversation: groupConversation('sky') }),
      submit(),
    ]);
    expect(outcomes.map((outcome) => (outcome.kind === 'stored' ? outcome.seq : outcome))).toEqual([
      1, 2, 1, 3,
    ]);
    const messages = await stored();
    expect(messages.map(({ position, previousPosition }) => [position, previousPosition])).toEqual([
      [1, 0],
      [2, 1],
      [4, 2],
    ]);
    expect(emitted.map(([room]) => room)).toEqual(['sea', 'sea', 'sky', 'sea'].map(groupRoom));
    const { serverTime, ...event } = messages[2]!;
    expect(emitted[3]?.[1]).toEqual({ kind: 'message', ...event });
    expect(JSON.parse(`{${event.body}}`)).toMatchObject({
      content: expect.stringContaining('hello'),
      messageId: event.messageId,
      seq: 3,
      serverTime,
      success: true,
    });
    expect(event.membershipVersion).toBe(3);
    expect(await repository.partition(0)).toMatchObject({ position: 4, messageId: event.messageId });
  });

  it('answers retries with the first result, of the same batch and of an earlier one, and emits once', async () => {
    const one = { clientId: 'one', content: 'same' };
    const [first, again] = await Promise.all([submit({ ...one, messageId: 'first' }), submit(one)]);
    const later = await submit(one);
    const next = await submit();
    expect(first).toMatchObject({ kind: 'stored', messageId: 'first', seq: 1, duplicate: false });
    expect(again).toEqual({ ...first, duplicate: true });
    expect(later).toEqual({ ...first, duplicate: true });
    expect(next).toMatchObject({ seq: 2 });
    expect(emittedSeqs()).toEqual([1, 2]);
    expect(await valueOf('starling_store_duplicates_total')).toEqual({ value: 2 });
  });

  it('refuses who is not a member without using a seq, and moves on', async () => {
    const outcomes = await Promise.all([
      submit(),
      submit({ sender: 'stranger' }),
      submit({ sender: 'cat', conversation: ANN_BEN, membershipVersion: 0 }),
      submit({ membershipVersion: 9 }),
      submit(),
    ]);
    expect(outcomes).toEqual([
      expect.objectContaining({ kind: 'stored', seq: 1 }),
      { kind: 'refused', error: 'NOT_A_MEMBER' },
      { kind: 'refused', error: 'NOT_A_MEMBER' },
      // Nobody can tell what version 9 says.
      { kind: 'refused', error: 'UNAVAILABLE' },
      expect.objectContaining({ kind: 'stored', seq: 2 }),
    ]);
    expect(await stored(ANN_BEN)).toEqual([]);
    expect(await repository.positions()).toEqual([5]);
    expect(emittedSeqs()).toEqual([1, 2]);
  });

  it('emits private messages once to each distinct user', async () => {
    await submit({ conversation: ANN_BEN, membershipVersion: 0 });
    await submit({ conversation: privateConversation('ann', 'ann'), membershipVersion: 0 });
    expect(emitted.map(([room]) => room)).toEqual([userRoom('ann'), userRoom('ben'), userRoom('ann')]);
    expect((await stored(ANN_BEN))[0]?.membershipVersion).toBe(0);
    expect(await repository.privateConversations('ben', null, 9)).toEqual([ANN_BEN]);
  });

  it('costs the same few calls of the store for one message and for many', async () => {
    const calls = async () => valueOf('starling_store_calls_total');
    await submit();
    expect(await calls()).toEqual({ heads: 1, commit: 1 });
    const many = Array.from({ length: 300 }, (_, i) =>
      submit({ conversation: groupConversation(`g${i % 100}`) }),
    );
    await Promise.all(many);
    expect(await calls()).toEqual({ heads: 2, commit: 2 });
    await Promise.all(Array.from({ length: 300 }, () => submit()));
    // The head of a conversation that was just written is not read again.
    expect(await calls()).toEqual({ heads: 2, commit: 3 });
    expect(await valueOf('starling_store_publishes_total')).toEqual({ value: 601 });
  });

  it('knows retries of what it has stored itself without asking the store', async () => {
    const calls = async () => valueOf('starling_store_calls_total');
    const first = await submit({ clientId: 'x', content: 'x' });
    const outcomes = await Promise.all([submit(), submit({ clientId: 'x', content: 'x' }), submit()]);
    expect(outcomes[1]).toEqual({ ...first, duplicate: true });
    expect(await seqs()).toEqual([1, 2, 3]);
    expect(await calls()).toEqual({ heads: 1, commit: 2 });
  });

  it('looks for what others have stored only when the store refuses to store it again, and then for a while', async () => {
    const calls = async () => valueOf('starling_store_calls_total');
    const first = await submit({ clientId: 'x', content: 'x' });
    await startAnother();
    const outcomes = await Promise.all([submit(), submit({ clientId: 'x', content: 'x' }), submit()]);
    expect(outcomes[1]).toEqual({ ...first, duplicate: true });
    expect(await seqs()).toEqual([1, 2, 3]);
    // The commit that was refused, and the one without the retry.
    expect(await calls()).toEqual({ heads: 3, commit: 3, duplicates: 1 });
    for (let i = 0; i < 60; i++) await submit();
    expect(await calls()).toEqual({ heads: 3, commit: 63, duplicates: 51 });
  });

  it('answers who left since with what was stored', async () => {
    const own = { sender: 'stranger', clientId: 'x', content: 'x' };
    const whole = groups.request;
    const answer = { groupId: 'sea', version: 3, members: [own.sender] };
    groups.request = (() => Promise.resolve(answer)) as typeof whole;
    const first = await submit(own).finally(() => (groups.request = whole));
    expect(first).toMatchObject({ kind: 'stored', seq: 1 });
    membership['forgetAll']();
    await startAnother();
    expect(await submit(own)).toEqual({ ...first, duplicate: true });
    expect(await submit({ sender: 'stranger' })).toEqual({ kind: 'refused', error: 'NOT_A_MEMBER' });
  });

  it('records and tells a loss of the log once, before anything moves the position', async () => {
    await leader.stop();
    const lost: LossRecord = { partition: 0, position: 0, messageId: 'gone', found: 'another submit' };
    const whole = log;
    log = {
      open: async (partition, from) => {
        const reader = await whole.open(partition, from);
        return Object.defineProperty(reader, 'lost', { value: lost });
      },
    };
    leader = newLeader();
    await leader.start();
    await leader.stop();
    leader = newLeader();
    await leader.start();
    expect(losses).toEqual([lost, lost]);
    // Known to be the same one by its record in the store.
    expect(await repository.recordLoss(lost)).toBe(false);
    expect(await valueOf('starling_store_log_losses_total')).toEqual({ value: 1 });
    expect(await submit()).toMatchObject({ kind: 'stored', seq: 1 });
  });

  it('gathers what comes while a commit is under way into the next one', async () => {
    const sizes: number[] = [];
    let others: Promise<SubmitOutcome>[] = [];
    interfere(async (commit, batch) => {
      if (sizes.push(batch.messages.length) === 1) others = Array.from({ length: 40 }, () => submit());
      return commit();
    });
    await submit();
    await Promise.all(others);
    expect(sizes).toEqual([1, 40]);
  });

  it('answers from the store when a commit was made and its success got lost', async () => {
    const before = await submit({ clientId: 'x', content: 'x' });
    let lost = false;
    interfere(async (commit) => {
      const result = await commit();
      if (lost) return result;
      lost = true;
      throw new Error('the connection broke');
    });
    const outcomes = await Promise.all([
      submit({ clientId: 'x', content: 'x' }),
      submit({ messageId: 'own' }),
      submit({ sender: 'stranger' }),
    ]);
    expect(outcomes).toEqual([
      { ...before, duplicate: true },
      expect.objectContaining({ kind: 'stored', messageId: 'own', seq: 2, duplicate: false }),
      { kind: 'refused', error: 'NOT_A_MEMBER' },
    ]);
    expect(emittedSeqs()).toEqual([1, 2]);
    expect(await submit()).toMatchObject({ seq: 3 });
    expect(await seqs()).toEqual([1, 2, 3]);
  });

  it('tries again while the store does not work, and answers nothing before', async () => {
    let failures = 0;
    let answered = false;
    interfere(async (commit) => {
      if (failures < 3) {
        failures += 1;
        expect(answered).toBe(false);
        throw new Error('disk full');
      }
      return commit();
    });
    const outcome = submit().then((result) => {
      answered = true;
      return result;
    });
    expect(await outcome).toMatchObject({ kind: 'stored', seq: 1, duplicate: false });
    expect(failures).toBe(3);
    expect(await seqs()).toEqual([1]);
    expect(await valueOf('starling_store_retries_total')).toEqual({ value: 3 });
  });

  it('tells the heads of what was stored of late when it opens: its predecessor may have died before', async () => {
    for (const conversation of [SEA, SEA, ANN_BEN]) await submit({ conversation });
    await startAnother();
    const sea = { conversation: SEA, partition: 0, head: 2 };
    expect(announced.filter(([room]) => room === groupRoom('sea'))).toEqual([
      [groupRoom('sea'), { kind: 'head', headPosition: (await stored())[1]!.position, ...sea }],
    ]);
    const own = announced.filter(([, { conversation }]) => conversation === ANN_BEN);
    expect(own.map(([room, { head }]) => [room, head])).toEqual(
      expect.arrayContaining([
        [userRoom('ann'), 1],
        [userRoom('ben'), 1],
      ]),
    );
  });

  it('opens though the heads cannot be told', async () => {
    repository.touchedIn = () => Promise.reject(new Error('not now'));
    await startAnother();
    expect(await submit()).toMatchObject({ kind: 'stored' });
  });

  it('opens again when another leader took the partition, and stores nothing twice', async () => {
    await submit();
    let taken = false;
    interfere(async (commit) => {
      if (!taken) {
        taken = true;
        await repository.takeEpoch(0);
      }
      return commit();
    });
    expect(await submit()).toMatchObject({ kind: 'stored', seq: 2, duplicate: false });
    expect(await seqs()).toEqual([1, 2]);
    expect(emittedSeqs()).toEqual([1, 2]);
  });

  it('looks heads up again when the one it remembers has moved', async () => {
    await submit();
    await database.transaction([
      {
        sql: `INSERT INTO messages SELECT conversation, 2, 'other', sender, server_time, partition, position, position,
                membership_version, 'other', body FROM messages WHERE seq = 1`,
      },
      { sql: 'UPDATE conversations SET head = 2' },
    ]);
    expect(await submit()).toMatchObject({ kind: 'stored', seq: 3 });
    expect(await seqs()).toEqual([1, 2, 3]);
  });

  it('sets aside the one message that the store will never take, and stores the others', async () => {
    await database.migrate('spec', [
      `CREATE TRIGGER poison BEFORE INSERT ON messages WHEN new.body LIKE '%poison%'
       BEGIN SELECT RAISE(ABORT, 'indigestible'); END`,
    ]);
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, i) => submit(i === 13 ? { content: 'poison', messageId: 'bad' } : {})),
    );
    expect(outcomes[13]).toEqual({ kind: 'refused', error: 'NOT_STORABLE' });
    const rest = outcomes.filter((_, i) => i !== 13);
    expect(rest.map((outcome) => outcome.kind === 'stored' && outcome.seq)).toEqual(
      Array.from({ length: 19 }, (_, i) => i + 1),
    );
    expect(emittedSeqs()).toEqual(await seqs());
    expect(
      await database.all('SELECT partition, position, message_id, reason FROM set_aside_submits'),
    ).toEqual([
      { partition: 0, position: 14, message_id: 'bad', reason: 'the store refused it: unstorable' },
    ]);
    expect(await repository.positions()).toEqual([20]);
    expect(await valueOf('starling_store_set_aside_total')).toEqual({ value: 1 });
  });

  it('sets aside what runs into the same seq for ever', async () => {
    await submit();
    await database.transaction([
      {
        sql: `INSERT INTO messages SELECT conversation, 2, 'orphan', sender, server_time, partition, 99, 1,
                membership_version, 'orphan', body FROM messages WHERE seq = 1`,
      },
    ]);
    const sky = groupConversation('sky');
    const outcomes = await Promise.all([submit(), submit({ conversation: sky })]);
    expect(outcomes[0]).toEqual({ kind: 'refused', error: 'NOT_STORABLE' });
    expect(outcomes[1]).toMatchObject({ kind: 'stored', seq: 1 });
  });

  it.each<[string, unknown]>([
    ['no id', { messageId: undefined }],
    ['a conversation that is no key', { conversation: 'sea' }],
    ['a key that cannot be decoded', { conversation: 'g.a' }],
    ['a key of bytes that are no text', { conversation: 'g._w' }],
    ['a key that nobody would write so', { conversation: `${ANN_BEN}.` }],
    ['a key of two users in the wrong order', { conversation: `p.${encodeId('ben')}.${encodeId('ann')}` }],
    ['a key without an id', { conversation: 'p..' }],
    ['content that is no text', { content: { $gt: '' } }],
    ['no text at all', { fields: null }],
    ['a version that is no number', { membershipVersion: 'new' }],
  ])('sets aside a submit with %s and goes on', async (_, overrides) => {
    const outcomes = await Promise.all([submit(), submit(overrides as Partial<Submit>), submit()]);
    expect(outcomes).toEqual([
      expect.objectContaining({ kind: 'stored', seq: 1 }),
      { kind: 'refused', error: 'NOT_STORABLE' },
      expect.objectContaining({ kind: 'stored', seq: 2 }),
    ]);
  });

  it('takes conversations of whatever characters their ids hold', async () => {
    for (const id of ['\ufeffsky', 'a.b*>', '海', '👋', '\u0000', ' ']) {
      expect(await submit({ conversation: groupConversation(id) })).toMatchObject({ kind: 'stored', seq: 1 });
      const conversation = privateConversation('ann', id);
      expect(await submit({ conversation })).toMatchObject({ kind: 'stored', seq: 1 });
    }
  });

  it('sets aside what belongs to another partition', async () => {
    const key = Array.from({ length: 20 }, (_, i) => groupConversation(`g${i}`)).find(
      (g) => partitionOf(g, 2) === 1,
    )!;
    await leader.stop();
    leader = new PartitionLeader({ ...leader['options'], partitions: 2 });
    await leader.start();
    expect(await submit({ conversation: key })).toEqual({ kind: 'refused', error: 'NOT_STORABLE' });
  });

  it('sets aside what names another partition than the one it came by', async () => {
    await leader.stop();
    const crossed: SubmitLog = { open: (_, from) => log.open(1, from) };
    leader = new PartitionLeader({ ...leader['options'], log: crossed });
    await leader.start();
    expect(await submit({ partition: 1 })).toEqual({ kind: 'refused', error: 'NOT_STORABLE' });
    expect(await stored()).toEqual([]);
  });

  it('finishes the batch under way when it is stopped, and the next leader goes on', async () => {
    const stops: Promise<void>[] = [];
    interfere(async (commit) => {
      stops.push(leader.stop());
      return commit();
    });
    expect(await submit()).toMatchObject({ kind: 'stored', seq: 1 });
    await Promise.all(stops);
    expect(leader.isOpen).toBe(false);
    expect(await submit()).toEqual({ kind: 'refused', error: 'NOT_ACCEPTED' });

    leader = newLeader();
    await leader.start();
    expect(await submit()).toMatchObject({ kind: 'stored', seq: 2 });
  });

  it('stops also while the store does not work, leaving the batch unanswered to the next leader', async () => {
    let tried = 0;
    interfere(() => {
      tried += 1;
      return Promise.reject(new Error('disk full'));
    });
    const outcome = submit({ messageId: 'kept' });
    await until('a try', () => tried > 0);
    await leader.stop();
    repository = await SqliteMessageRepository.open(database, PARTITIONS);
    leader = newLeader();
    await leader.start();
    expect(await outcome).toMatchObject({ kind: 'stored', messageId: 'kept', seq: 1, duplicate: false });
  });

  it('takes no epoch without the lease, so a leader that slept cannot void its successor', async () => {
    await leader.stop();
    const before = await repository.partition(0);
    lease.isHeld = false;
    leader = newLeader();
    const opened = leader.start();
    await until('two tries', async () => (await valueOf('starling_store_retries_total'))['value']! >= 2);
    expect((await repository.partition(0)).epoch).toBe(before.epoch);

    lease.isHeld = true;
    await opened;
    expect((await repository.partition(0)).epoch).toBe(before.epoch + 1);
  });
});
