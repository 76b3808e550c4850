import { jetstreamManager } from '@nats-io/jetstream';
import { describeWithOwnEngines, until } from '@starling/testing';
import { Registry } from 'prom-client';
import { BusMetrics } from '../src/bus-metrics.js';
import type { BusConnection } from '../src/nats/nats-connection.js';
import { submitStream, submitSubject, workerSubject } from '../src/nats/names.js';
import { NatsSubmitLog } from '../src/nats/nats-submit-log.js';
import { NatsSubmitPublisher } from '../src/nats/nats-submit-publisher.js';
import type { SubmitOutcome } from '../src/submits/submit.js';
import { aSubmit } from '../src/submits/submit-path.contract.js';
import { BusOnNats, SILENT } from './bus-on-nats.js';
import { SimulatedLeader, SimulatedStore } from './simulated-leader.js';
import { SubmitStream } from './submit-stream.js';

describeWithOwnEngines(['nats'], 'submits over NATS when things fail', () => {
  let bus: BusOnNats;
  /** Each test has its own. */
  let partition = 0;
  let store: SimulatedStore;
  let gateway: BusConnection;
  let worker: BusConnection;

  beforeAll(async () => {
    bus = await BusOnNats.start();
  });
  afterAll(() => bus.stop());

  beforeEach(async () => {
    partition += 1;
    store = new SimulatedStore();
    [gateway, worker] = [await bus.connect('gateway'), await bus.connect('message-store')];
  });
  afterEach(() => bus.clear());

  const newStream = ({ deadlineMs = 15_000, maxUnanswered = 100_000 } = {}) =>
    new SubmitStream(
      bus.closedAfter(
        new NatsSubmitPublisher(gateway, { deadlineMs, maxUnanswered }, new BusMetrics(new Registry())),
      ),
      partition,
    );

  const newLog = ({ maxWaiting = 100_000, connection = worker } = {}) =>
    new NatsSubmitLog(
      connection,
      { maxWaiting, replicas: 1, deadlineMs: 15_000 },
      SILENT,
      new BusMetrics(new Registry()),
    );

  async function newLeader(options: { maxWaiting?: number; connection?: BusConnection } = {}) {
    const leader = bus.closedAfter(new SimulatedLeader(newLog(options), store, partition));
    await leader.start();
    return leader;
  }

  const manager = async () => jetstreamManager((await bus.connect()).nats, { checkAPI: false });

  /** Runs `fault` while submits are sent, and some before and after; all must be stored, once and in order. */
  async function during(fault: () => Promise<void>): Promise<SubmitStream> {
    await newLeader();
    const stream = newStream();
    const sending = stream.sendSteadily();
    await until('some to be stored', () => store.stored.length > 100);
    await fault();
    const before = store.stored.length;
    await until('more to be stored', () => store.stored.length > before + 100);
    sending.stop();
    await stream.settled();
    stream.expectPromisesKept(store);
    expect(store.losses).toEqual([]);
    return stream;
  }

  it('stores every submit, in order, when the server is killed and comes back', async () => {
    const stream = await during(async () => {
      await bus.engine.kill9();
      await bus.engine.restart();
      await bus.engine.kill9();
      await bus.engine.restart();
    });
    expect(stream.count('stored')).toBe(stream.submits.length);
  });

  it('stores every submit, in order, when the server is stopped for a moment', async () => {
    const stream = await during(async () => {
      bus.engine.pause();
      const before = store.stored.length;
      await new Promise((resolve) => setTimeout(resolve, 1000));
      expect(store.stored.length - before).toBeLessThan(100);
      bus.engine.resume();
    });
    expect(stream.count('stored')).toBe(stream.submits.length);
  });

  it('stores every submit, in order, when connections of gateway and worker are cut again and again', async () => {
    const stream = await during(async () => {
      for (let i = 0; i < 12; i++) {
        const cut = i % 3 === 0 ? [gateway] : i % 3 === 1 ? [worker] : [gateway, worker];
        const before = store.stored.length;
        for (const { nats } of cut) await nats.reconnect();
        await until('more to be stored', () => store.stored.length > before);
      }
    });
    expect(stream.count('stored')).toBe(stream.submits.length);
  });

  it('asks for the answer of what was stored by a worker that died before it answered', async () => {
    const dying = await bus.connect('dying');
    const leader = await newLeader({ connection: dying });
    leader.afterCommit = () => {
      void dying.nats.close();
      throw new Error('dead');
    };
    const stream = newStream();
    stream.send(20);
    await until('some to be stored', () => store.stored.length > 0);
    void leader.close();
    await newLeader();
    await stream.settled();
    expect(stream.count('stored')).toBe(20);
    expect(stream.outcomes.some((outcome) => outcome?.kind === 'stored' && outcome.duplicate)).toBe(true);
    stream.expectPromisesKept(store);
  });

  it('asks for an answer that passed while the gateway was cut off', async () => {
    const leader = await newLeader();
    let cut: Promise<void> | null = null;
    leader.afterCommit = () => {
      cut ??= gateway.nats.reconnect();
    };
    const stream = newStream();
    stream.send(20);
    await stream.settled();
    expect(cut).not.toBeNull();
    expect(stream.count('stored')).toBe(20);
    stream.expectPromisesKept(store);
  });

  it('sends nothing twice while the store is slow, and refuses what the full log cannot take', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    store.working = promise;
    await newLeader({ maxWaiting: 50 });
    const stream = newStream();
    stream.send(200);
    // Nothing was dealt with yet that takes the room of one more.
    await until('the refusals', () => stream.count('refused') === 149);
    // Longer than the publisher waits for a reply before it asks after it.
    await new Promise((settle) => setTimeout(settle, 1200));
    const { state } = await (await manager()).streams.info(submitStream(partition));
    expect(state.last_seq).toBe(51);
    resolve();
    await stream.settled();
    expect(stream.count('stored')).toBe(51);
    stream.expectPromisesKept(store);
  });

  it.each<[string, SubmitOutcome]>([
    ['maximum messages exceeded', { kind: 'refused', error: 'NOT_ACCEPTED' }],
    ['maximum bytes exceeded', { kind: 'refused', error: 'NOT_ACCEPTED' }],
    // Of servers before 2.14, which use the number for every failure: another replica may have stored it.
    ['write /data: input/output error', { kind: 'unknown' }],
  ])('knows what became of a submit that the stream answers with "%s"', async (description, outcome) => {
    const error = { code: 503, err_code: 10077, description };
    const answer = JSON.stringify({ error, stream: submitStream(partition), seq: 0 });
    worker.nats.subscribe(workerSubject(partition), { callback: (_, message) => void message.respond('0') });
    worker.nats.subscribe(submitSubject(partition), {
      callback: (_, message) => void message.respond(answer),
    });
    await worker.nats.flush();
    const stream = newStream({ deadlineMs: 1000 });
    stream.send(1);
    await stream.settled();
    expect(stream.outcomes).toEqual([outcome]);
  });

  it('takes submits again when there is room in the log', async () => {
    await newLeader({ maxWaiting: 20 });
    const stream = newStream();
    await until('five times as many to be stored as it holds', async () => {
      stream.send(10);
      await stream.settled();
      return stream.count('stored') > 100;
    });
    expect(stream.count('refused')).toBe(stream.submits.length - stream.count('stored'));
    stream.expectPromisesKept(store);
  });

  it('refuses for certain what nobody reads, soon, and publishes none of it later', async () => {
    const leader = await newLeader();
    await leader.close();
    const stream = newStream();
    stream.send(5);
    await stream.settled();
    expect(stream.count('refused')).toBe(5);
    await newLeader();
    stream.send(1);
    await stream.settled();
    expect(store.stored.map(({ clientId }) => clientId)).toEqual([5]);
    stream.expectPromisesKept(store);
  });

  it('bridges the moment in which a partition is handed over', async () => {
    const first = await newLeader();
    const stream = newStream();
    const sending = stream.sendSteadily();
    await until('some to be stored', () => store.stored.length > 50);
    for (let leader = first, i = 0; i < 5; i++) {
      await leader.close();
      leader = await newLeader();
      const before = store.stored.length;
      await until('more to be stored', () => store.stored.length > before + 20);
    }
    sending.stop();
    await stream.settled();
    expect(stream.count('stored')).toBe(stream.submits.length);
    stream.expectPromisesKept(store);
  });

  it('refuses for certain at the deadline what could not be sent, and never sends it', async () => {
    await newLeader();
    await bus.engine.kill9();
    await until('the loss of the connection', () => !gateway.isConnected);
    const stream = newStream({ deadlineMs: 500 });
    stream.send(10);
    await stream.settled();
    expect(stream.count('refused')).toBe(10);
    await bus.engine.restart();
    await until('a submit to be stored', async () => {
      stream.send(1);
      await stream.settled();
      return stream.count('stored') > 0;
    });
    stream.expectPromisesKept(store);
  });

  it('keeps no more than it may', async () => {
    await newLeader();
    bus.engine.pause();
    const stream = newStream({ maxUnanswered: 30 });
    stream.send(100);
    await until('the refusals', () => stream.count('refused') === 70);
    bus.engine.resume();
    await stream.settled();
    expect(stream.count('stored')).toBe(30);
    stream.expectPromisesKept(store);
  });

  it('tells the end when the publisher closes', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    store.working = promise;
    await newLeader();
    const publisher = new NatsSubmitPublisher(
      gateway,
      { deadlineMs: 60_000, maxUnanswered: 100 },
      new BusMetrics(new Registry()),
    );
    const stream = new SubmitStream(publisher, partition);
    stream.send(3);
    const { streams } = await manager();
    await until('the stream to take them', async () => {
      return (await streams.info(submitStream(partition))).state.last_seq === 3;
    });
    publisher.close();
    await stream.settled();
    expect(stream.count('unknown')).toBe(3);
    stream.send(1);
    await stream.settled();
    expect(stream.count('refused')).toBe(1);
    expect(publisher.unanswered).toBe(0);
    resolve();
  });

  describe('and the log is lost', () => {
    /** A leader that has stored some, and has been closed. */
    async function storedSome(): Promise<number> {
      const leader = await newLeader();
      const stream = newStream();
      stream.send(10);
      await stream.settled();
      await leader.close();
      return store.position.position;
    }

    async function replaceStream(firstSeq: number, messages: number): Promise<void> {
      const { streams } = await manager();
      await until('the stream to be empty', async () => {
        await streams.delete(submitStream(partition));
        const subjects = [submitSubject(partition)];
        const made = await streams.add({ name: submitStream(partition), subjects, first_seq: firstSeq });
        return made.state.last_seq === firstSeq - 1;
      });
      for (let i = 0; i < messages; i++) {
        await worker.jetstream.publish(submitSubject(partition), JSON.stringify(aSubmit()), {
          msgID: `other-${i}`,
        });
      }
    }

    async function expectItGoesOn(position: number): Promise<void> {
      const leader = await newLeader();
      const stream = newStream();
      stream.send(5);
      await stream.settled();
      expect(stream.count('stored')).toBe(5);
      expect(store.position.position).toBeGreaterThan(position);
      stream.expectPromisesKept(store);
      await leader.close();
    }

    it('says nothing of the kind when all is well', async () => {
      await expectItGoesOn(await storedSome());
      await bus.engine.kill9();
      await bus.engine.restart();
      await until('the connections', () => worker.isConnected && gateway.isConnected);
      await expectItGoesOn(store.position.position);
      expect(store.losses).toEqual([]);
    });

    it.each<[string, (position: number) => Promise<void>]>([
      ['no log', async () => void (await (await manager()).streams.delete(submitStream(partition)))],
      ['a shorter log', () => replaceStream(1, 3)],
      ['another submit', (position) => replaceStream(1, position + 3)],
      [
        'nothing at the position',
        async () => void (await (await manager()).streams.purge(submitStream(partition))),
      ],
    ])('reports it as "%s", once, and goes on at higher positions', async (found, lose) => {
      const { position, messageId } = (await storedSome(), store.position);
      await lose(position);
      await expectItGoesOn(position);
      expect(store.losses).toEqual([{ partition, position, messageId, found }]);
      await expectItGoesOn(store.position.position);
      expect(store.losses).toHaveLength(1);
    });

    it('ends the reader when the stream is deleted under it, and nobody is told what is not true', async () => {
      await newLeader();
      const stream = newStream({ deadlineMs: 4000 });
      const sending = stream.sendSteadily();
      await until('some to be stored', () => store.stored.length > 50);
      await (await manager()).streams.delete(submitStream(partition));
      await until('the loss to be reported', () => store.losses.length > 0);
      const before = store.stored.length;
      await until('more to be stored', () => store.stored.length > before + 50);
      sending.stop();
      await stream.settled();
      expect(store.losses).toMatchObject([{ found: 'no log' }]);
      // What the log lost and its gateway sent again came behind what followed it.
      stream.expectPromisesKept(store, { inOrder: false });
    });
  });

  it('is not harmed by a reader that was replaced and does not know it', async () => {
    const staleLog = newLog({ connection: await bus.connect('stale') });
    const stale = bus.closedAfter(await staleLog.open(partition, store.position));
    await newLeader();
    const stream = newStream();
    stream.send(50);
    await stream.settled();
    const seen = await stale.next(1);
    // It answers and purges as if it had stored what it saw.
    stale.answer(seen[0]!, { kind: 'unknown' });
    await stale.purge(seen[0]!.position);
    stream.send(50);
    await stream.settled();
    expect(stream.count('stored')).toBe(100);
    stream.expectPromisesKept(store);
    expect(store.losses).toEqual([]);
  });

  it('gives a reader only as much as it has room for', async () => {
    const reader = bus.closedAfter(await newLog().open(partition, store.position));
    const stream = newStream({ deadlineMs: 3000 });
    stream.send(4000);
    const read: number[] = [];
    await until('the backlog to be known', async () => {
      if (read.length === 0) read.push(...(await reader.next(1)).map(({ position }) => position));
      return reader.backlog > 2000;
    });
    while (read.length < 4000) read.push(...(await reader.next(500)).map(({ position }) => position));
    expect(read).toEqual(Array.from({ length: 4000 }, (_, index) => index + 1));
    await stream.settled();
    expect(stream.count('unknown')).toBe(4000);
  });

  it('is read by one consumer, however many portions that takes', async () => {
    const count = 2500;
    const reader = bus.closedAfter(await newLog().open(partition, store.position));
    const text = JSON.stringify(aSubmit());
    for (let sent = 0; sent < count; sent++) worker.nats.publish(submitSubject(partition), text);
    for (let read = 0; read < count;) read += (await reader.next(500)).length;
    const { consumers } = await manager();
    const found = await consumers.list(submitStream(partition)).next();
    expect(found.map(({ delivered }) => delivered.consumer_seq)).toEqual([count]);
  });

  it('gives a reader no more bytes than it has room for, and all in order', async () => {
    const count = 1000;
    await (await newLog().open(partition, store.position)).close();
    const large = JSON.stringify(aSubmit({ content: 'x'.repeat(64 << 10) }));
    for (let sent = 0; sent < count; sent += 100) {
      const publishes = Array.from({ length: 100 }, () =>
        worker.jetstream.publish(submitSubject(partition), large, { timeout: 20_000 }),
      );
      await Promise.all(publishes);
    }
    const reader = bus.closedAfter(await newLog().open(partition, store.position));
    const { consumers } = await manager();
    const readers = async () =>
      (await consumers.list(submitStream(partition)).next()).filter(
        ({ delivered }) => delivered.consumer_seq > 0,
      );
    await until('the request to be over', async () => (await readers())[0]?.num_waiting === 0);
    const [before] = await readers();
    expect(before!.delivered.consumer_seq).toBeLessThanOrEqual(128);
    const read: number[] = [];
    while (read.length < count) read.push(...(await reader.next(50)).map(({ position }) => position));
    expect(read).toEqual(Array.from({ length: count }, (_, index) => index + 1));
    // By one consumer: that a request was over was nothing irregular.
    const after = await readers();
    expect(after.map(({ name, delivered }) => [name, delivered.consumer_seq])).toEqual([
      [before!.name, count],
    ]);
  });

  it('hands on what is no JSON, so that it can be set aside', async () => {
    const reader = bus.closedAfter(await newLog().open(partition, store.position));
    await worker.jetstream.publish(submitSubject(partition), 'no JSON');
    const [received] = await reader.next(10);
    expect(received).toMatchObject({ position: 1, submit: null });
    reader.answer(received!, { kind: 'refused', error: 'NOT_STORABLE' });
  });
});
