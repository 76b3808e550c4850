import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Global, Module, type INestMicroservice } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import {
  GroupsRequest,
  InProcessBusModule,
  InProcessRequestServer,
  MessageStoreRequest,
  partitionOf,
  REQUEST_CLIENT,
  SUBMIT_PUBLISHER,
  type Positions,
  type RepairEntry,
  type RequestClient,
  type RequestPattern,
  type SubmitPublisher,
} from '@starling/bus';
import { CONFIG } from '@starling/config';
import { ObservabilityModule, ReadinessChecks } from '@starling/observability';
import { groupConversation, privateConversation, Refusal, type ConversationKey } from '@starling/protocol';
import { ROOM_EMITTER } from '@starling/rooms';
import { SQLITE, SqliteDatabase } from '@starling/storage';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { MessageStoreModule } from './index.js';
import { MESSAGE_REPOSITORY, type MessageRepository } from './repository/message-repository.js';

const PARTITIONS = 4;
const SEA = groupConversation('sea');
const ANN_BEN = privateConversation('ann', 'ben');
/** What NATS takes at once by default. */
const MAX_PAYLOAD = 1 << 20;

@Controller()
class EverybodyIsAMember {
  @MessagePattern(GroupsRequest.membersAmong.name)
  membersAmong(@Payload() { groupId, userIds }: { groupId: string; userIds: string[] }) {
    return { groupId, version: 1, members: userIds };
  }
}

let folder: string;

/** The parts that another module of the embedded profile provides. */
@Global()
@Module({
  providers: [
    {
      provide: CONFIG,
      useValue: { PARTITIONS, BATCH_MAX: 100, SUBMIT_LOG_MAX: 10_000, SUBMIT_DEADLINE_MS: 10_000 },
    },
    { provide: SQLITE, useFactory: () => SqliteDatabase.open(folder) },
    { provide: ROOM_EMITTER, useValue: { emit: () => undefined } },
  ],
  exports: [CONFIG, SQLITE, ROOM_EMITTER],
})
class SurroundingsModule {}

describe('message-store', () => {
  let app: INestMicroservice;
  let client: RequestClient;
  let submits: SubmitPublisher;
  let packets = 0;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'starling-store-'));
    const compiled = await Test.createTestingModule({
      imports: [
        SurroundingsModule,
        InProcessBusModule,
        ObservabilityModule.register({ logger: pino({ level: 'silent' }), metrics: new Registry() }),
        MessageStoreModule.onSqlite(),
      ],
      controllers: [EverybodyIsAMember],
    }).compile();
    app = compiled.createNestMicroservice({ strategy: compiled.get(InProcessRequestServer), logger: false });
    await app.listen();
    client = compiled.get(REQUEST_CLIENT);
    submits = compiled.get(SUBMIT_PUBLISHER);
  });

  afterEach(async () => {
    await app.close();
    await app.get<SqliteDatabase>(SQLITE).close();
    rmSync(folder, { recursive: true });
  });

  async function say(conversation: ConversationKey, content = 'hello', sender = 'ann'): Promise<number> {
    packets += 1;
    const outcome = await submits.submit({
      messageId: `gateway-${packets}`,
      partition: partitionOf(conversation, PARTITIONS),
      conversation,
      sender,
      clientId: packets,
      contentType: 0,
      content,
      fields: `"content":${JSON.stringify(content)}`,
      membershipVersion: 0,
    });
    if (outcome.kind !== 'stored') throw new Error(JSON.stringify(outcome));
    return outcome.seq;
  }

  async function sayTimes(
    conversation: ConversationKey,
    times: number,
    content?: string,
    sender?: string,
  ): Promise<void> {
    await Promise.all(Array.from({ length: times }, () => say(conversation, content, sender)));
  }

  /** An id as long as clients may have them by default, of characters that are long in UTF-8. */
  const longId = (name: string): string => name.padEnd(128, '長');
  const LONG = privateConversation(longId('ann'), longId('ben'));
  const bytesOf = (reply: unknown): number => Buffer.byteLength(JSON.stringify(reply));

  const ask = <Request, Reply>(pattern: RequestPattern<Request, Reply>, payload: Request) =>
    client.request(pattern, payload);
  const positions = async () => (await ask(MessageStoreRequest.positions, {})).positions;
  const NOWHERE: Positions = Array.from({ length: PARTITIONS }, () => 0);

  it('is ready once every partition is open, and no more after its end', async () => {
    const readiness = app.get(ReadinessChecks);
    expect((await readiness.report()).checks).toEqual({ 'message-store': 'ok' });
    await app.close();
    expect((await readiness.report()).checks).toEqual({ 'message-store': 'failed' });
  });

  describe('history', () => {
    const history = async (page: { before?: number; after?: number; limit?: number }) => {
      const request = {
        conversation: SEA,
        before: page.before ?? null,
        after: page.after ?? null,
        limit: page.limit ?? 3,
      };
      const { messages, more, head } = await ask(MessageStoreRequest.history, request);
      return { seqs: messages.map(({ seq }) => seq), more, head };
    };

    it('pages both ways, with exclusive borders', async () => {
      await sayTimes(SEA, 7);
      expect(await history({})).toEqual({ seqs: [5, 6, 7], more: true, head: 7 });
      expect(await history({ before: 5 })).toEqual({ seqs: [2, 3, 4], more: true, head: 7 });
      expect(await history({ before: 4 })).toEqual({ seqs: [1, 2, 3], more: false, head: 7 });
      expect(await history({ before: 1 })).toEqual({ seqs: [], more: false, head: 7 });
      expect(await history({ before: 99 })).toEqual({ seqs: [5, 6, 7], more: true, head: 7 });
      expect(await history({ after: 0 })).toEqual({ seqs: [1, 2, 3], more: true, head: 7 });
      expect(await history({ after: 4 })).toEqual({ seqs: [5, 6, 7], more: false, head: 7 });
      expect(await history({ after: 99 })).toEqual({ seqs: [], more: false, head: 7 });
      expect(await history({ after: 2, before: 5 })).toEqual({ seqs: [3, 4], more: false, head: 7 });
    });

    it('is empty where nothing was said', async () => {
      expect(await history({})).toEqual({ seqs: [], more: false, head: 0 });
    });

    it('answers fewer large messages at once, and all of them in the end', async () => {
      await sayTimes(SEA, 40, 'x'.repeat(60_000));
      const newest = await history({ limit: 40 });
      expect(newest.seqs.length).toBeLessThan(20);
      expect(newest).toMatchObject({ more: true, head: 40 });
      expect(newest.seqs.at(-1)).toBe(40);
      const seen: number[] = [];
      for (let more = true; more;) {
        const page = await history({ after: seen.at(-1) ?? 0, limit: 40 });
        seen.push(...page.seqs);
        more = page.more;
      }
      expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    });

    it('passes through NATS, whatever is long in it', async () => {
      await sayTimes(LONG, 200, '長'.repeat(1200), longId('ann'));
      const newest = { conversation: LONG, before: null, after: null, limit: 200 };
      const page = await ask(MessageStoreRequest.history, newest);
      expect(bytesOf(page)).toBeLessThan(MAX_PAYLOAD);
      expect(page.messages.at(-1)?.seq).toBe(200);
      expect(page.more).toBe(true);
    });
  });

  describe('repair', () => {
    const repair = async (from: number, to: number, afterPosition = 0) =>
      (await ask(MessageStoreRequest.repair, { conversation: SEA, from, to, afterPosition })).entries;
    const seqsOf = (entries: RepairEntry[]) => entries.map(({ seq }) => seq);

    it('answers every seq asked for up to the head', async () => {
      await sayTimes(SEA, 5);
      const entries = await repair(2, 9);
      expect(entries.map(({ seq, message }) => [seq, message?.seq])).toEqual([2, 3, 4, 5].map((n) => [n, n]));
      expect(await repair(6, 9)).toEqual([]);
    });

    it('tells up to where it knows the conversation, also when it has nothing to answer', async () => {
      const asked = { conversation: SEA, from: 4, to: 9, afterPosition: 0 };
      expect(await ask(MessageStoreRequest.repair, asked)).toEqual({ entries: [], head: 0 });
      await sayTimes(SEA, 3);
      expect(await ask(MessageStoreRequest.repair, asked)).toEqual({ entries: [], head: 3 });
      expect(await ask(MessageStoreRequest.repair, { ...asked, from: 1, to: 2 })).toMatchObject({ head: 3 });
    });

    it('says which ones are not to be had any more', async () => {
      await sayTimes(SEA, 3);
      await app.get<SqliteDatabase>(SQLITE).transaction([{ sql: 'DELETE FROM messages WHERE seq = 2' }]);
      expect((await repair(1, 3)).map(({ message }) => message === null)).toEqual([false, true, false]);
    });

    it('says so of none that the server of MongoDB does not know yet which has just become the primary', async () => {
      await sayTimes(SEA, 3);
      const repository = app.get<MessageRepository>(MESSAGE_REPOSITORY);
      const behind = jest.spyOn(repository, 'messages').mockResolvedValueOnce([]);
      expect((await repair(1, 3)).map(({ message }) => message?.seq)).toEqual([1, 2, 3]);
      behind.mockRestore();
    });

    it('answers fewer large messages at once, from the lowest, and all of them in the end', async () => {
      await sayTimes(SEA, 40, 'x'.repeat(60_000));
      const seen: number[] = [];
      while (seen.length < 40) {
        const seqs = seqsOf(await repair((seen.at(-1) ?? 0) + 1, 40));
        expect(seqs.length).toBeGreaterThan(0);
        expect(seqs.length).toBeLessThan(20);
        seen.push(...seqs);
      }
      expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    });

    it('passes through NATS, though many short messages were said by long ids', async () => {
      await sayTimes(LONG, 500, '長'.repeat(200), longId('ann'));
      const seen: number[] = [];
      while (seen.length < 500) {
        const from = (seen.at(-1) ?? 0) + 1;
        const request = { conversation: LONG, from, to: 500, afterPosition: 0 };
        const reply = await ask(MessageStoreRequest.repair, request);
        expect(bytesOf(reply)).toBeLessThan(MAX_PAYLOAD);
        expect(reply.entries.length).toBeGreaterThan(100);
        seen.push(...seqsOf(reply.entries));
      }
      expect(seen).toEqual(Array.from({ length: 500 }, (_, i) => i + 1));
    });

    it('leaves out what a position excludes, also far behind, and answers at most 500 from the lowest', async () => {
      await sayTimes(SEA, 700);
      const middle = (await repair(100, 100))[0]?.message?.position ?? 0;
      await sayTimes(SEA, 600);
      expect(seqsOf(await repair(1, 1300, middle))).toEqual(Array.from({ length: 500 }, (_, i) => 101 + i));
      expect(seqsOf(await repair(1299, 1300, middle))).toEqual([1299, 1300]);
      const end = (await positions())[partitionOf(SEA, PARTITIONS)] ?? 0;
      expect(await repair(1, 1300, end)).toEqual([]);
      expect(seqsOf(await repair(1, 1300, end - 1))).toEqual([1300]);
    });
  });

  describe('touched', () => {
    const keysOf = (found: { conversation: ConversationKey }[]) =>
      found.map(({ conversation }) => conversation).sort();

    it('tells what happened since some positions, to all and to a user', async () => {
      await sayTimes(SEA, 2);
      const before = await positions();
      await say(ANN_BEN);
      const all = await ask(MessageStoreRequest.touched, {
        after: NOWHERE,
        userId: null,
        groupIds: [],
        limit: 10,
      });
      expect(keysOf(all.conversations)).toEqual([SEA, ANN_BEN].sort());
      expect(all.conversations.find(({ conversation }) => conversation === SEA)?.head).toBe(2);
      expect(all).toMatchObject({ more: false, reached: await positions() });

      const since = { after: before, userId: 'ben', groupIds: ['sea'], limit: 10 };
      expect(keysOf((await ask(MessageStoreRequest.touched, since)).conversations)).toEqual([ANN_BEN]);
      const stranger = { after: NOWHERE, userId: 'cat', groupIds: [], limit: 10 };
      expect((await ask(MessageStoreRequest.touched, stranger)).conversations).toEqual([]);
    });

    it.each([['all', null] as const, ['a user', 'ann'] as const])(
      'pages for %s until nothing is left',
      async (_, userId) => {
        const groupIds = Array.from({ length: 25 }, (_each, i) => `group ${i}`);
        for (const groupId of groupIds) await say(groupConversation(groupId));
        const seen: ConversationKey[] = [];
        let after = NOWHERE;
        for (let more = true; more;) {
          const page = await ask(MessageStoreRequest.touched, { after, userId, groupIds, limit: 4 });
          expect(page.conversations.length).toBeLessThanOrEqual(4);
          seen.push(...page.conversations.map(({ conversation }) => conversation));
          ({ more, reached: after } = page);
        }
        expect(seen.sort()).toEqual(groupIds.map(groupConversation).sort());
        expect(after).toEqual(await positions());
      },
    );

    it.each([['all', null] as const, ['a user', longId('ann')] as const])(
      'passes through NATS for %s, however long the keys and however many are asked for, and leaves none out',
      async (_, userId) => {
        const keys = Array.from({ length: 1000 }, (_each, i) =>
          privateConversation(longId('ann'), longId(`${i}`)),
        );
        await Promise.all(keys.map((key) => say(key, undefined, longId('ann'))));
        const seen: ConversationKey[] = [];
        let after = NOWHERE;
        for (let more = true; more;) {
          const request = { after, userId, groupIds: [], limit: 1000 };
          const page = await ask(MessageStoreRequest.touched, request);
          expect(bytesOf(page)).toBeLessThan(MAX_PAYLOAD);
          expect(page.conversations.length).toBeGreaterThan(100);
          seen.push(...keysOf(page.conversations));
          ({ more, reached: after } = page);
        }
        expect(seen.sort()).toEqual(keys.sort());
        expect(after).toEqual(await positions());
      },
    );
  });

  describe('sync', () => {
    type Known = { conversation: ConversationKey; seq: number }[];
    const sync = (
      known: Known,
      overrides: { userId?: string; limit?: number; cursor?: string | null; groupIds?: string[] } = {},
    ) =>
      ask(MessageStoreRequest.sync, {
        userId: 'ann',
        groupIds: ['sea', 'mute'],
        known,
        limit: 3,
        cursor: null,
        ...overrides,
      });

    it('answers every conversation of the user with what the client lacks', async () => {
      await sayTimes(SEA, 5);
      await sayTimes(ANN_BEN, 2);
      await say(privateConversation('cat', 'dog')).catch(() => undefined);
      await ask(MessageStoreRequest.read, { userId: 'ann', conversation: SEA, seq: 4 });
      const { conversations, cursor } = await sync([{ conversation: SEA, seq: 1 }]);
      expect(cursor).toBeNull();
      const short = conversations.map((each) => ({
        ...each,
        last: each.last?.seq ?? null,
        missing: each.missing.map(({ seq }) => seq),
      }));
      expect(short).toEqual(
        [
          { conversation: groupConversation('mute'), head: 0, read: 0, last: null, missing: [], more: false },
          { conversation: SEA, head: 5, read: 4, last: 5, missing: [2, 3, 4], more: true },
          { conversation: ANN_BEN, head: 2, read: 0, last: 2, missing: [1, 2], more: false },
        ].sort((a, b) => (a.conversation < b.conversation ? -1 : 1)),
      );
    });

    it('has nothing missing for who knows all, or asks for none', async () => {
      await sayTimes(SEA, 2);
      const of = async (seq: number, limit: number) =>
        (await sync([{ conversation: SEA, seq }], { limit, groupIds: ['sea'] })).conversations[0];
      expect(await of(2, 3)).toMatchObject({ missing: [], more: false, last: { seq: 2 } });
      expect(await of(9, 3)).toMatchObject({ missing: [], more: false, last: { seq: 2 } });
      expect(await of(0, 0)).toMatchObject({ missing: [], more: true, last: { seq: 2 } });
    });

    it.each([
      ['many conversations', 230, 1, 10],
      ['many messages', 8, 100, 10],
      ['large messages', 6, 10, 60_000],
    ])('pages through %s, each conversation once', async (_, conversations, messages, size) => {
      const groupIds = Array.from({ length: conversations }, (_each, i) => `group ${i}`);
      await Promise.all(groupIds.map((id) => sayTimes(groupConversation(id), messages, 'x'.repeat(size))));
      const seen: ConversationKey[] = [];
      let cursor: string | null = null;
      let pages = 0;
      do {
        const page: Awaited<ReturnType<typeof sync>> = await sync([], { groupIds, limit: 100, cursor });
        for (const { conversation, missing, more } of page.conversations) {
          seen.push(conversation);
          expect(missing.map(({ seq }) => seq)).toEqual(
            Array.from({ length: missing.length }, (_each, i) => i + 1),
          );
          expect(more).toBe(missing.length < messages);
        }
        expect(page.conversations.length).toBeGreaterThan(0);
        expect(JSON.stringify(page).length).toBeLessThan(2_500_000);
        cursor = page.cursor;
        pages += 1;
      } while (cursor !== null);
      expect(seen).toEqual(groupIds.map(groupConversation).sort());
      expect(pages).toBeGreaterThan(1);
    });

    it('passes through NATS, though short messages were said between long ids', async () => {
      const userId = longId('ann');
      const keys = Array.from({ length: 150 }, (_each, i) => privateConversation(userId, longId(`${i}`)));
      await Promise.all(keys.map((key) => sayTimes(key, 3, '長'.repeat(400), userId)));
      const seen: ConversationKey[] = [];
      let cursor: string | null = null;
      do {
        const page: Awaited<ReturnType<typeof sync>> = await sync([], { userId, groupIds: [], cursor });
        expect(bytesOf(page)).toBeLessThan(MAX_PAYLOAD);
        seen.push(...page.conversations.map(({ conversation }) => conversation));
        cursor = page.cursor;
      } while (cursor !== null);
      expect(seen).toEqual(keys.sort());
    });
  });

  it('keeps read cursors and replays', async () => {
    await sayTimes(SEA, 2);
    const read = { userId: 'ann', conversation: SEA, seq: 9 };
    expect(await ask(MessageStoreRequest.read, read)).toEqual({ seq: 2, moved: true });
    expect(await ask(MessageStoreRequest.read, read)).toEqual({ seq: 2, moved: false });

    const replay = { base: [1, 2, 3, 4], cursors: [{ conversation: SEA, seq: 2 }] };
    const entries = [{ userId: 'ann', ...replay }];
    await ask(MessageStoreRequest.saveReplay, { entries, leaseMs: 60_000 });
    expect(await ask(MessageStoreRequest.loadReplay, { userId: 'ann' })).toEqual({ replay });
    await ask(MessageStoreRequest.saveReplay, { entries, leaseMs: 0 });
    expect(await ask(MessageStoreRequest.loadReplay, { userId: 'ann' })).toEqual({ replay: null });
  });

  it.each<[string, RequestPattern<unknown, unknown>, unknown]>([
    [
      'a limit above 200',
      MessageStoreRequest.history,
      { conversation: SEA, before: null, after: null, limit: 201 },
    ],
    [
      'an operator as seq',
      MessageStoreRequest.history,
      { conversation: SEA, before: { $gt: 0 }, after: null, limit: 1 },
    ],
    [
      'a conversation that is no key',
      MessageStoreRequest.repair,
      { conversation: 'sea', from: 1, to: 2, afterPosition: 0 },
    ],
    [
      'positions of another number of partitions',
      MessageStoreRequest.touched,
      { after: [0], userId: null, groupIds: [], limit: 1 },
    ],
    ['an unpaired surrogate as user', MessageStoreRequest.loadReplay, { userId: '\ud800' }],
    [
      'a cursor that is none',
      MessageStoreRequest.sync,
      { userId: 'ann', groupIds: [], known: [], limit: 1, cursor: '%' },
    ],
    ['nothing', MessageStoreRequest.read, {}],
  ])('refuses %s', async (_, pattern, payload) => {
    const refusal = await client.request(pattern, payload).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(Refusal);
    expect(refusal).toMatchObject({ error: 'INVALID_FIELD' });
  });
});
