import type { StoredMessage } from '@starling/bus';
import { groupConversation, privateConversation, type ConversationKey } from '@starling/protocol';
import type { Batch, HeadMove, MessageRepository, NewMessage } from './message-repository.js';

export interface StartedRepository {
  readonly repository: MessageRepository;
  /** The same data in another process's hands. */
  reopen(): Promise<MessageRepository>;
  stop(): Promise<void>;
}

const SEA = groupConversation('sea');
const SKY = groupConversation('sky');
const ANN_BEN = privateConversation('ann', 'ben');

export const PARTITIONS_OF_CONTRACT = 3;

/** What every store of messages promises; see MessageRepository. `start` serves an empty one with three partitions. */
export function messageRepositoryContract(name: string, start: () => Promise<StartedRepository>): void {
  describe(`messages in ${name}`, () => {
    let started: StartedRepository;
    let repository: MessageRepository;
    let epochs: number[];

    beforeEach(async () => {
      started = await start();
      repository = started.repository;
      epochs = [];
      for (let partition = 0; partition < PARTITIONS_OF_CONTRACT; partition++) {
        epochs.push((await repository.takeEpoch(partition)).epoch);
      }
    });

    afterEach(() => started.stop());

    /** As a leader would build it: one message for each conversation named, at the next positions. */
    async function batchOf(
      conversations: readonly ConversationKey[],
      { partition = 0, ...overrides }: Partial<Batch> = {},
    ): Promise<Batch> {
      const { position: from } = await repository.partition(partition);
      const known = await repository.heads(conversations);
      const moves = new Map<ConversationKey, HeadMove>();
      const messages = conversations.map((conversation, index): NewMessage => {
        const head = known.get(conversation) ?? { seq: 0, position: 0 };
        const move = moves.get(conversation) ?? {
          conversation,
          from: head.seq,
          to: head,
          participants: conversation.startsWith('p.') ? ['ann', 'ben'] : [],
        };
        const message: StoredMessage = {
          conversation,
          seq: move.to.seq + 1,
          messageId: `m${partition}-${from + index + 1}`,
          sender: 'ann',
          serverTime: 1700000000000 + index,
          partition,
          position: from + index + 1,
          previousPosition: move.to.position,
          membershipVersion: 4,
          body: `"content":"🐦 \\u0000 number ${index}"`,
        };
        moves.set(conversation, { ...move, to: { seq: message.seq, position: message.position } });
        return { message, dedupeKey: `key of ${message.messageId}` };
      });
      return {
        partition,
        epoch: epochs[partition] ?? 0,
        from,
        to: {
          position: from + conversations.length,
          messageId: `m${partition}-${from + conversations.length}`,
        },
        messages,
        heads: [...moves.values()],
        setAside: null,
        ...overrides,
      };
    }

    async function store(conversations: readonly ConversationKey[], partition = 0): Promise<StoredMessage[]> {
      const batch = await batchOf(conversations, { partition });
      expect(await repository.commit(batch)).toBe('committed');
      return batch.messages.map(({ message }) => message);
    }

    const all = (conversation: ConversationKey) =>
      repository.messages([{ conversation, from: 1, to: Number.MAX_SAFE_INTEGER }]);

    describe('a commit', () => {
      it('stores messages, heads and position together, for every later reader', async () => {
        const messages = await store([SEA, SKY, SEA, ANN_BEN]);
        for (const open of [() => repository, () => started.reopen()]) {
          const reader = await open();
          expect(await reader.messages([{ conversation: SEA, from: 1, to: 9 }])).toEqual([
            messages[0],
            messages[2],
          ]);
          expect(await reader.heads([SEA, SKY, ANN_BEN, groupConversation('none')])).toEqual(
            new Map([
              [SEA, { seq: 2, position: 3 }],
              [SKY, { seq: 1, position: 2 }],
              [ANN_BEN, { seq: 1, position: 4 }],
            ]),
          );
          expect(await reader.partition(0)).toEqual({ epoch: epochs[0], position: 4, messageId: 'm0-4' });
          expect(await reader.positions()).toEqual([4, 0, 0]);
        }
      });

      it('moves the position without any message', async () => {
        const nothing = await batchOf([], { to: { position: 7, messageId: 'refused' } });
        expect(await repository.commit(nothing)).toBe('committed');
        expect(await repository.partition(0)).toMatchObject({ position: 7, messageId: 'refused' });
      });

      it('is void under an older epoch', async () => {
        const batch = await batchOf([SEA]);
        const next = await repository.takeEpoch(0);
        expect(next.epoch).toBeGreaterThan(batch.epoch);
        expect(await repository.commit(batch)).toBe('void');
        expect(await all(SEA)).toEqual([]);
        expect(await repository.partition(0)).toEqual({ epoch: next.epoch, position: 0, messageId: null });
      });

      it('is void from another position, also its own repetition', async () => {
        const batch = await batchOf([SEA]);
        expect(await repository.commit(batch)).toBe('committed');
        expect(await repository.commit(batch)).toBe('void');
        expect(await all(SEA)).toHaveLength(1);
      });

      it('leaves other partitions alone when one gets a new leader', async () => {
        await repository.takeEpoch(1);
        expect(await repository.commit(await batchOf([SEA]))).toBe('committed');
      });

      it.each<[string, (batch: Batch) => Batch]>([
        [
          'a dedupe key',
          (batch) => ({
            ...batch,
            messages: batch.messages.map((m) => ({ ...m, dedupeKey: 'key of m0-1' })),
          }),
        ],
        [
          'a seq',
          (batch) => ({
            ...batch,
            messages: batch.messages.map((m) => ({ ...m, message: { ...m.message, seq: 1 } })),
          }),
        ],
        [
          'the head',
          (batch) => ({ ...batch, heads: batch.heads.map((move) => ({ ...move, from: move.from - 1 })) }),
        ],
      ])('changes nothing where %s is taken', async (_, spoil) => {
        await store([SEA]);
        const batch = await batchOf([SEA]);
        expect(await repository.commit(spoil(batch))).toBe('conflict');
        expect(await all(SEA)).toHaveLength(1);
        expect(await repository.partition(0)).toMatchObject({ position: 1 });
        expect(await repository.commit(batch)).toBe('committed');
      });

      it('tells what can never be stored', async () => {
        const batch = await batchOf([SEA, SKY]);
        const messages = batch.messages.map(({ message, dedupeKey }, index) => ({
          dedupeKey,
          message: index === 1 ? { ...message, body: null as unknown as string } : message,
        }));
        expect(await repository.commit({ ...batch, messages })).toBe('unstorable');
        expect(await all(SEA)).toEqual([]);
      });

      it('keeps a submit that is set aside, also one without anything', async () => {
        const one = { position: 1, messageId: 'bad', reason: 'why', submit: '{}' };
        expect(
          await repository.commit(
            await batchOf([], { to: { position: 1, messageId: 'bad' }, setAside: one }),
          ),
        ).toBe('committed');
        const other = { position: 2, messageId: null, reason: 'why', submit: null };
        expect(
          await repository.commit(
            await batchOf([], { to: { position: 2, messageId: null }, setAside: other }),
          ),
        ).toBe('committed');
        expect(await repository.partition(0)).toMatchObject({ position: 2, messageId: null });
      });

      it('keeps the record of a loss once, however often it is found', async () => {
        const loss = { partition: 0, position: 7, messageId: 'last', found: 'another submit' } as const;
        expect(await repository.recordLoss(loss)).toBe(true);
        expect(await repository.recordLoss(loss)).toBe(false);
        expect(await repository.recordLoss({ ...loss, position: 9, messageId: null })).toBe(true);
        expect(await repository.recordLoss({ ...loss, partition: 1 })).toBe(true);
      });

      it('gives seqs 1..n without gap or repeat to racing leaders, of whom the older ones are void', async () => {
        const committed: number[] = [];
        let uncertain = 0;
        await Promise.all(
          Array.from({ length: 8 }, async () => {
            for (let attempt = 0; attempt < 10; attempt++) {
              const { epoch } = await repository.takeEpoch(0);
              const batch = await batchOf([SEA, SEA], { epoch });
              // A takeover may cut a commit off in its middle; then nobody knows.
              const result = await repository.commit(batch).catch(() => 'unknown' as const);
              if (result === 'unknown') uncertain += batch.messages.length;
              if (result === 'committed') committed.push(...batch.messages.map(({ message }) => message.seq));
            }
          }),
        );
        expect(committed.length).toBeGreaterThan(0);
        const seqs = (await all(SEA)).map(({ seq }) => seq);
        expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, i) => i + 1));
        expect(new Set(committed).size).toBe(committed.length);
        expect(seqs).toEqual(expect.arrayContaining(committed));
        expect(seqs.length - committed.length).toBeLessThanOrEqual(uncertain);
      });
    });

    it('shows a position only with the heads and messages up to it', async () => {
      let storing = true;
      const stores = (async () => {
        for (let batch = 0; batch < 15; batch++) await store([SEA, SKY, SEA]);
      })().finally(() => (storing = false));
      const seen = new Set<number>();
      while (storing) {
        const [position = 0] = await repository.positions();
        const head = (await repository.heads([SEA])).get(SEA) ?? { seq: 0, position: 0 };
        expect(head.position).toBeGreaterThanOrEqual(position);
        expect((await all(SEA)).length).toBeGreaterThanOrEqual(head.seq);
        seen.add(position);
      }
      await stores;
      expect(seen.size).toBeGreaterThan(1);
    });

    it('finds stored duplicates by conversation and key', async () => {
      const [first, second] = await store([SEA, SKY]);
      const found = await repository.stored([
        { conversation: SEA, key: 'key of m0-1' },
        { conversation: SEA, key: 'key of m0-2' },
        { conversation: SKY, key: 'key of m0-2' },
        { conversation: SKY, key: 'unknown' },
      ]);
      expect(found).toEqual(
        new Map([
          ['key of m0-1', { messageId: first?.messageId, seq: 1, serverTime: first?.serverTime }],
          ['key of m0-2', { messageId: second?.messageId, seq: 1, serverTime: second?.serverTime }],
        ]),
      );
      expect(await repository.stored([])).toEqual(new Map());
    });

    it('reads ranges in the order asked, seqs ascending, and the positions of one', async () => {
      await store([SEA, SKY, SEA, SEA]);
      const found = await repository.messages([
        { conversation: SKY, from: 1, to: 5 },
        { conversation: SEA, from: 2, to: 3 },
        { conversation: SEA, from: 7, to: 9 },
      ]);
      expect(found.map(({ conversation, seq }) => [conversation, seq])).toEqual([
        [SKY, 1],
        [SEA, 2],
        [SEA, 3],
      ]);
      expect(await repository.messagePositions({ conversation: SEA, from: 2, to: 9 })).toEqual([
        { seq: 2, position: 3 },
        { seq: 3, position: 4 },
      ]);
    });

    describe('touched', () => {
      it('answers heads of a partition after a position, oldest first', async () => {
        await store([SEA, SKY, SEA]);
        await store([ANN_BEN], 1);
        expect(await repository.touchedIn(0, 0, 10)).toEqual([
          { conversation: SKY, partition: 0, head: 1, headPosition: 2 },
          { conversation: SEA, partition: 0, head: 2, headPosition: 3 },
        ]);
        expect((await repository.touchedIn(0, 0, 1)).map(({ conversation }) => conversation)).toEqual([SKY]);
        expect((await repository.touchedIn(0, 2, 10)).map(({ conversation }) => conversation)).toEqual([SEA]);
        expect(await repository.touchedIn(0, 3, 10)).toEqual([]);
      });

      it("answers a user's private conversations and the groups named, and nobody else's", async () => {
        const other = privateConversation('cat', 'dog');
        await store([SEA, SKY], 0);
        await store([ANN_BEN], 2);
        const batch = await batchOf([other], { partition: 1 });
        await repository.commit({
          ...batch,
          heads: batch.heads.map((m) => ({ ...m, participants: ['cat', 'dog'] })),
        });
        const of = async (userId: string, groups: ConversationKey[], after: number[], limit = 10) =>
          (await repository.touchedOf(userId, groups, after, limit)).map(({ conversation }) => conversation);
        expect(await of('ann', [SKY, SEA], [0, 0, 0])).toEqual([SEA, SKY, ANN_BEN]);
        expect(await of('ann', [SKY, SEA], [1, 0, 1])).toEqual([SKY]);
        expect(await of('ben', [], [0, 0, 0])).toEqual([ANN_BEN]);
        expect(await of('cat', [], [9, 0, 9])).toEqual([other]);
        expect(await of('ann', [SKY, SEA], [0, 0, 0], 2)).toEqual([SEA, SKY]);
      });
    });

    it("pages a user's private conversations by key", async () => {
      const keys = ['ben', 'cat', 'dog', 'eve'].map((other) => privateConversation('ann', other)).sort();
      await store(keys);
      await store(keys);
      expect(await repository.privateConversations('ann', null, 3)).toEqual(keys.slice(0, 3));
      expect(await repository.privateConversations('ann', keys[2] ?? null, 3)).toEqual(keys.slice(3));
      expect(await repository.privateConversations('nobody', null, 3)).toEqual([]);
    });

    describe('read cursors', () => {
      it('go up to the head and never back', async () => {
        await store([SEA, SEA, SEA]);
        const move = (seq: number) => repository.moveReadCursor('ann', SEA, seq);
        expect(await move(0)).toEqual({ seq: 0, moved: false });
        expect(await move(2)).toEqual({ seq: 2, moved: true });
        expect(await move(2)).toEqual({ seq: 2, moved: false });
        expect(await move(1)).toEqual({ seq: 2, moved: false });
        expect(await move(99)).toEqual({ seq: 3, moved: true });
        expect(await repository.readCursors('ann', [SEA, SKY])).toEqual(new Map([[SEA, 3]]));
        expect(await repository.readCursors('ben', [SEA])).toEqual(new Map());
      });

      it('go to the highest of many who move one at once, of whom each is told what held', async () => {
        await store(Array<ConversationKey>(12).fill(SEA));
        const moves = await Promise.all(
          Array.from({ length: 12 }, (_, i) => repository.moveReadCursor('ann', SEA, i + 1)),
        );
        moves.forEach(({ seq }, i) => expect(seq).toBeGreaterThanOrEqual(i + 1));
        expect(moves[11]).toEqual({ seq: 12, moved: true });
        expect(await repository.readCursors('ann', [SEA])).toEqual(new Map([[SEA, 12]]));
      });

      it('stay at zero in a conversation without messages', async () => {
        expect(await repository.moveReadCursor('ann', SEA, 5)).toEqual({ seq: 0, moved: false });
      });
    });

    describe('replay', () => {
      const NOW = 1_000_000;
      const save = (base: number[] | null, cursors: [ConversationKey, number][], now = NOW, leaseMs = 1000) =>
        repository.saveReplay(
          [{ userId: 'ann', base, cursors: cursors.map(([conversation, seq]) => ({ conversation, seq })) }],
          now,
          now + leaseMs,
        );

      it('keeps base and cursors until the lease is over', async () => {
        await save([1, 2, 3], [[SEA, 5]]);
        expect(await repository.loadReplay('ann', NOW + 999)).toEqual({
          base: [1, 2, 3],
          cursors: [{ conversation: SEA, seq: 5 }],
        });
        expect(await repository.loadReplay('ann', NOW + 1000)).toBeNull();
        expect(await repository.loadReplay('ben', NOW)).toBeNull();
      });

      it('adds cursors that never go back, renews the lease, and starts anew with a base', async () => {
        await save([1, 2, 3], [[SEA, 5]]);
        await save(
          null,
          [
            [SEA, 4],
            [SKY, 1],
          ],
          NOW + 900,
        );
        expect(await repository.loadReplay('ann', NOW + 1800)).toEqual({
          base: [1, 2, 3],
          cursors: [
            { conversation: SEA, seq: 5 },
            { conversation: SKY, seq: 1 },
          ],
        });
        await save([7, 7, 7], []);
        expect(await repository.loadReplay('ann', NOW)).toEqual({ base: [7, 7, 7], cursors: [] });
      });

      it('keeps the highest of what several save of a user at once', async () => {
        await Promise.all(Array.from({ length: 4 }, () => save([1, 2, 3], [])));
        await Promise.all([3, 9, 5, 7].map((seq) => save(null, [[SEA, seq]])));
        expect(await repository.loadReplay('ann', NOW)).toEqual({
          base: [1, 2, 3],
          cursors: [{ conversation: SEA, seq: 9 }],
        });
      });

      it('ignores cursors without a base, and forgets what is long over', async () => {
        await save(null, [[SEA, 5]]);
        expect(await repository.loadReplay('ann', NOW)).toBeNull();
        await save([1, 2, 3], [[SEA, 5]]);
        await save(null, [], NOW + 5000);
        expect(await repository.loadReplay('ann', NOW)).toBeNull();
      });
    });
  });
}
