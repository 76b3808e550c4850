import { groupConversation } from '@starling/protocol';
import type { LogPosition, ReceivedSubmit, SubmitLog } from './submit-log.js';
import type { SubmitPublisher } from './submit-publisher.js';
import type { Submit, SubmitOutcome } from './submit.js';

export interface SubmitPath {
  readonly publisher: SubmitPublisher;
  readonly log: SubmitLog;
  close(): Promise<void>;
}

const BEGINNING: LogPosition = { position: 0, messageId: null };

let packets = 0;

export function aSubmit(overrides: Partial<Submit> = {}): Submit {
  packets += 1;
  return {
    messageId: `gateway-${packets}`,
    partition: 0,
    conversation: groupConversation('sea'),
    sender: 'ann',
    clientId: packets,
    contentType: 0,
    content: 'hello',
    fields: '"content":"hello"',
    membershipVersion: 1,
    ...overrides,
  };
}

function storedAs(seq: number): SubmitOutcome {
  return { kind: 'stored', messageId: `m${seq}`, seq, serverTime: 1, duplicate: false };
}

/** What every submit path promises to gateways and message-stores; see SubmitPublisher and SubmitLog. */
export function submitPathContract(
  start: (options: { maxWaiting: number; deadlineMs: number }) => Promise<SubmitPath>,
): void {
  let path: SubmitPath;
  const open = (options: Partial<{ maxWaiting: number; deadlineMs: number }> = {}) =>
    start({ maxWaiting: 100, deadlineMs: 10_000, ...options }).then((started) => (path = started));

  afterEach(() => path.close());

  it('hands submits that were not awaited in between to the reader in the order of the calls', async () => {
    const { publisher, log } = await open();
    const reader = await log.open(0, BEGINNING);
    const outcomes = [1, 2, 3, 4, 5].map((clientId) => publisher.submit(aSubmit({ clientId })));
    const read: (string | number)[] = [];
    let previous = 0;
    while (read.length < 5) {
      for (const received of await reader.next(2)) {
        expect(received.position).toBeGreaterThan(previous);
        previous = received.position;
        read.push(received.submit.clientId);
        reader.answer(received, storedAs(read.length));
      }
    }
    expect(read).toEqual([1, 2, 3, 4, 5]);
    await expect(Promise.all(outcomes)).resolves.toEqual([1, 2, 3, 4, 5].map(storedAs));
    await reader.close();
  });

  it('gives no more than max at once, and waits when there is nothing', async () => {
    const { publisher, log } = await open();
    const reader = await log.open(0, BEGINNING);
    const waiting = reader.next(10);
    const outcome = publisher.submit(aSubmit());
    const [received] = await waiting;
    reader.answer(received!, storedAs(1));
    await expect(outcome).resolves.toEqual(storedAs(1));
    await reader.close();
  });

  it('shows what was not committed again to a reader that opens at an older position', async () => {
    const { publisher, log } = await open();
    const first = await log.open(0, BEGINNING);
    void publisher.submit(aSubmit({ clientId: 'a' }));
    void publisher.submit(aSubmit({ clientId: 'b' }));
    const seen = [];
    while (seen.length < 2) seen.push(...(await first.next(10)));
    await first.close();

    const second = await log.open(0, { position: seen[0]!.position, messageId: seen[0]!.submit.messageId });
    const again = await second.next(10);
    expect(again.map(({ submit }) => submit.clientId)).toEqual(['b']);
    expect(again[0]!.position).toBe(seen[1]!.position);
    await second.close();
  });

  it('goes on after the position the store holds', async () => {
    const { publisher, log } = await open();
    const reader = await log.open(3, BEGINNING);
    void publisher.submit(aSubmit({ partition: 3, clientId: 'old' }));
    const [old] = await reader.next(1);
    reader.answer(old!, storedAs(1));
    await reader.purge(old!.position);
    await reader.close();

    const next = await log.open(3, { position: old!.position, messageId: old!.submit.messageId });
    void publisher.submit(aSubmit({ partition: 3, clientId: 'new' }));
    const [received] = await next.next(10);
    expect(received!.submit.clientId).toBe('new');
    expect(received!.position).toBeGreaterThan(old!.position);
    await next.close();
  });

  it('ends a waiting reader with nothing when it is closed', async () => {
    const { log } = await open();
    const reader = await log.open(0, BEGINNING);
    const waiting = reader.next(10);
    await reader.close();
    await expect(waiting).resolves.toEqual([]);
  });

  it('refuses for certain while nobody works the partition', async () => {
    const { publisher } = await open();
    await expect(publisher.submit(aSubmit())).resolves.toEqual({ kind: 'refused', error: 'NOT_ACCEPTED' });
  });

  it.each([1, 2])(
    'refuses for certain beyond %s that wait, and takes submits again after a purge',
    async (maxWaiting) => {
      const { publisher, log } = await open({ maxWaiting });
      const reader = await log.open(0, BEGINNING);
      const readAndPurge = async (count: number) => {
        const read: ReceivedSubmit[] = [];
        while (read.length < count) read.push(...(await reader.next(10)));
        // Or it would be sent again.
        for (const received of read) reader.answer(received, storedAs(1));
        await reader.purge(read.at(-1)!.position);
      };
      // What was dealt with takes no room of those that wait.
      void publisher.submit(aSubmit());
      await readAndPurge(1);
      for (let i = 0; i < maxWaiting; i++) void publisher.submit(aSubmit());
      await expect(publisher.submit(aSubmit())).resolves.toEqual({ kind: 'refused', error: 'NOT_ACCEPTED' });

      await readAndPurge(maxWaiting);
      const taken = publisher.submit(aSubmit({ clientId: 'after' }));
      const [received] = await reader.next(10);
      expect(received!.submit.clientId).toBe('after');
      reader.answer(received!, storedAs(3));
      await expect(taken).resolves.toEqual(storedAs(3));
      await reader.close();
    },
  );

  it('says "unknown" at the deadline and counts the submit as unanswered until then', async () => {
    const { publisher, log } = await open({ deadlineMs: 1500 });
    const reader = await log.open(0, BEGINNING);
    const outcome = publisher.submit(aSubmit());
    expect(publisher.unanswered).toBe(1);
    await expect(outcome).resolves.toEqual({ kind: 'unknown' });
    expect(publisher.unanswered).toBe(0);
    await reader.close();
  });

  it('carries a submit whole, whatever characters it holds, and finds nothing lost', async () => {
    const { publisher, log } = await open();
    const reader = await log.open(0, BEGINNING);
    expect(reader.lost).toBeNull();
    const submit = aSubmit({
      sender: 'a.b *>\r\n',
      clientId: '1',
      contentType: 7.5,
      content: 'quotes " and \\ and \u0000, 群组 😀, \ud800 alone',
      fields: '"content":"\\u0000","x":{"y":[1,null]}',
    });
    void publisher.submit(submit);
    const [received] = await reader.next(10);
    expect(received!.submit).toEqual(submit);
    await reader.close();
  });

  it.each<SubmitOutcome>([
    { kind: 'refused', error: 'NOT_A_MEMBER' },
    { kind: 'unknown' },
    { kind: 'stored', messageId: 'first', seq: 7, serverTime: 1_763_910_000_000, duplicate: true },
  ])('brings the outcome as the reader gave it: $kind', async (outcome) => {
    const { publisher, log } = await open();
    const reader = await log.open(0, BEGINNING);
    const settled = publisher.submit(aSubmit());
    const [received] = await reader.next(10);
    reader.answer(received!, outcome);
    await expect(settled).resolves.toEqual(outcome);
    expect(publisher.unanswered).toBe(0);
    await reader.close();
  });

  it('keeps the order of a thousand that were not awaited, in each of two partitions', async () => {
    const { publisher, log } = await open({ maxWaiting: 10_000 });
    const readers = await Promise.all([log.open(1, BEGINNING), log.open(2, BEGINNING)]);
    for (let clientId = 0; clientId < 1000; clientId++) {
      void publisher.submit(aSubmit({ partition: 1 + (clientId % 2), clientId }));
    }
    for (const [odd, reader] of readers.entries()) {
      const read: unknown[] = [];
      while (read.length < 500) read.push(...(await reader.next(64)).map(({ submit }) => submit.clientId));
      expect(read).toEqual(Array.from({ length: 500 }, (_, index) => 2 * index + odd));
      await reader.close();
    }
  });

  it('keeps partitions apart', async () => {
    const { publisher, log } = await open();
    const [one, two] = await Promise.all([log.open(1, BEGINNING), log.open(2, BEGINNING)]);
    void publisher.submit(aSubmit({ partition: 2, clientId: 'two' }));
    void publisher.submit(aSubmit({ partition: 1, clientId: 'one' }));
    expect((await one.next(10)).map(({ submit }) => submit.clientId)).toEqual(['one']);
    expect((await two.next(10)).map(({ submit }) => submit.clientId)).toEqual(['two']);
    await Promise.all([one.close(), two.close()]);
  });
}
