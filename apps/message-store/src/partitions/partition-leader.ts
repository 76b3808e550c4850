import { setTimeout as sleep } from 'node:timers/promises';
import type {
  Lease,
  LogPosition,
  LossRecord,
  ReceivedSubmit,
  StoredMessage,
  SubmitLog,
  SubmitOutcome,
  SubmitReader,
} from '@starling/bus';
import type { Tracer } from '@starling/observability';
import { parseConversation, type ConversationKey } from '@starling/protocol';
import type { Logger } from 'pino';
import type { Delivery } from '../delivery/delivery.js';
import type { MembershipQuestion, MembershipView } from '../membership/membership-view.js';
import type {
  Batch,
  CommitResult,
  DedupeKey,
  Head,
  MessageRepository,
  StoredOutcome,
} from '../repository/message-repository.js';
import { planBatch, type BatchPlan, type JudgedSubmit, type Verdict } from './batch-plan.js';
import { CommitSpans } from './commit-spans.js';
import { dedupeKeyOf } from './dedupe-key.js';
import { HeadCache } from './head-cache.js';
import { RecentOutcomes } from './recent-outcomes.js';
import type { StoreMetrics } from './store-metrics.js';
import { faultOf } from './submit-check.js';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2000;
/** Conflicts that are looked up again before the batch is halved. */
const CONFLICTS_LOOKED_UP = 2;
/** Batches that are looked up before their commit once a retry has come: it seldom comes alone. */
const LOOKED_UP_AFTER_RETRY = 50;
/** The batch that was committed and not emitted, and what may have been on its way before it. */
const BATCHES_ANNOUNCED = 2;
/** Characters of a submit that is set aside. */
const SET_ASIDE_MAX = 65_536;
const NO_HEAD: Head = { seq: 0, position: 0 };

/** Another leader has opened the partition, or the store stands where this one never was: open again. */
class PartitionLost extends Error {}

export interface PartitionLeaderOptions {
  readonly lease: Pick<Lease, 'partition' | 'isHeld'>;
  /** How many there are. */
  readonly partitions: number;
  readonly batchMax: number;
  readonly repository: MessageRepository;
  readonly log: SubmitLog;
  readonly membership: MembershipView;
  readonly delivery: Delivery;
  readonly metrics: StoreMetrics;
  readonly logger: Logger;
  /** Null while traces are off. */
  readonly tracer: Tracer | null;
  /** Told of a loss when it has been recorded. */
  readonly onLoss: (loss: LossRecord) => void;
}

/**
 * Leads one partition: reads its log from where the store stands, gives seqs, and stores batch after batch in one
 * commit each, which also moves the position. Nothing is answered or emitted before its commit, and nothing is
 * acknowledged to the log, so a death between any two steps only means that the next leader reads from the
 * position again: what was stored is found as a duplicate and answered, the rest is stored then.
 *
 * While a commit is under way the log gathers the next batch. While the store does not work nothing is read, and
 * the log's bound reaches the gateways.
 */
export class PartitionLeader {
  private readonly stopping = new AbortController();
  private readonly heads = new HeadCache();
  private readonly recent = new RecentOutcomes();
  private running: Promise<void> = Promise.resolve();
  private reader: SubmitReader | null = null;
  private epoch = 0;
  private position = 0;
  private pauseMs = FIRST_PAUSE_MS;
  /** Batches left to look up. */
  private expectingRetries = 0;
  /** Every opening finds a loss again until the position moves. */
  private reportedLoss: number | null = null;

  constructor(private readonly options: PartitionLeaderOptions) {}

  get partition(): number {
    return this.options.lease.partition;
  }

  /** Resolves when the partition is open for the first time, or the leader was stopped before. */
  start(): Promise<void> {
    return new Promise((opened) => {
      this.running = this.lead(opened).finally(opened);
    });
  }

  /** Finishes the batch under way, unless the store does not work: then its submits stay unanswered. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.close();
    await this.running;
  }

  get isOpen(): boolean {
    return this.reader !== null;
  }

  get backlog(): number {
    return this.reader?.backlog ?? 0;
  }

  private get isStopping(): boolean {
    return this.stopping.signal.aborted;
  }

  private async lead(onOpen: () => void): Promise<void> {
    while (!this.isStopping) {
      try {
        await this.open();
        onOpen();
        await this.readAll();
      } catch (err) {
        if (this.isStopping) return;
        this.log('the partition is opened again', err);
        await this.pause();
      } finally {
        await this.close();
      }
    }
  }

  /**
   * The epoch before everything else: from here on no earlier leader can commit, so what is read stays true. Without
   * the lease it is not taken, or a leader that was stopped for a while would void the commits of its successor; who
   * loses the lease between the two is voided in turn.
   */
  private async open(): Promise<void> {
    const { repository, log, lease } = this.options;
    const { partition } = lease;
    if (!lease.isHeld) throw new PartitionLost('the lease is lost');
    const { epoch, position, messageId } = await repository.takeEpoch(partition);
    if (!lease.isHeld) throw new PartitionLost('the lease was lost while the partition was opened');
    this.epoch = epoch;
    this.position = position;
    this.heads.drop();
    this.reader = await log.open(partition, { position, messageId });
    await this.report(this.reader.lost);
    await this.announce();
  }

  /**
   * Whoever led before may have died between a commit and its emits, and no later message may show it. A hint, as
   * emits are: gateways find it by asking, too, but later.
   */
  private async announce(): Promise<void> {
    const { repository, delivery, batchMax } = this.options;
    const positions = BATCHES_ANNOUNCED * batchMax;
    try {
      delivery.announce(
        await repository.touchedIn(this.partition, Math.max(0, this.position - positions), positions),
      );
    } catch (err) {
      this.log('the heads of conversations could not be announced', err);
    }
  }

  /** Before the first commit, which moves the position: from then on nobody would find the loss again. */
  private async report(lost: LossRecord | null): Promise<void> {
    if (lost === null || lost.position === this.reportedLoss) return;
    const { repository, metrics, logger, onLoss } = this.options;
    const isNew = await repository.recordLoss(lost);
    this.reportedLoss = lost.position;
    if (isNew) metrics.losses.inc();
    logger.error({ ...lost }, 'the log has lost submits; none of them was acknowledged');
    onLoss(lost);
  }

  private async close(): Promise<void> {
    const reader = this.reader;
    this.reader = null;
    try {
      await reader?.close();
    } catch (err) {
      this.log('the log could not be closed', err);
    }
  }

  private async readAll(): Promise<void> {
    const reader = this.reader;
    while (reader && !this.isStopping) {
      const batch = await reader.next(this.options.batchMax);
      if (batch.length === 0) {
        if (this.isStopping) return;
        throw new Error('the log has ended');
      }
      this.options.metrics.batchSize.observe(batch.length);
      await this.store(reader, batch);
      this.pauseMs = FIRST_PAUSE_MS;
    }
  }

  /** Returns when the position has moved past all of the submits. */
  private async store(reader: SubmitReader, submits: readonly ReceivedSubmit[]): Promise<void> {
    let conflicts = 0;
    for (;;) {
      if (this.hasFault(submits)) return this.storeAroundFaults(reader, submits);
      const spans = CommitSpans.begin(this.options.tracer, submits);
      const plan = await this.plan(submits, conflicts > 0);
      const result = await this.commit(this.batchOf(submits, plan));
      if (result === 'committed') return this.finish(reader, submits, plan, spans);
      this.heads.drop();
      if (result === 'void' && (await this.wasCommitted(submits)))
        return this.finishFromStore(reader, submits, plan, spans);
      spans?.failed(result);
      if (result === 'void') {
        await this.pause();
        continue;
      }
      if (result === 'conflict' && ++conflicts <= CONFLICTS_LOOKED_UP) continue;
      return this.halve(reader, submits, `the store refused it: ${result}`);
    }
  }

  /** Down to the one that the store will not take. */
  private async halve(
    reader: SubmitReader,
    submits: readonly ReceivedSubmit[],
    reason: string,
  ): Promise<void> {
    const [only] = submits;
    if (only && submits.length === 1) return this.setAside(reader, only, reason);
    const half = submits.length >> 1;
    await this.store(reader, submits.slice(0, half));
    await this.store(reader, submits.slice(half));
  }

  private hasFault(submits: readonly ReceivedSubmit[]): boolean {
    return submits.some((received) => this.faultOf(received) !== null);
  }

  private faultOf({ submit }: ReceivedSubmit): string | null {
    return faultOf(submit, this.partition, this.options.partitions);
  }

  private async storeAroundFaults(reader: SubmitReader, submits: readonly ReceivedSubmit[]): Promise<void> {
    let sound: ReceivedSubmit[] = [];
    for (const received of submits) {
      const fault = this.faultOf(received);
      if (fault === null) {
        sound.push(received);
        continue;
      }
      if (sound.length > 0) await this.store(reader, sound);
      sound = [];
      await this.setAside(reader, received, fault);
    }
    if (sound.length > 0) await this.store(reader, sound);
  }

  /** Kept in the store for whoever looks into it, answered, and passed: one submit must not stop a partition. */
  private async setAside(reader: SubmitReader, received: ReceivedSubmit, reason: string): Promise<void> {
    const { metrics, logger } = this.options;
    const { partition } = this;
    const { position, submit } = received;
    const messageId = messageIdOf(received);
    let text = (JSON.stringify(submit) as string | undefined)?.slice(0, SET_ASIDE_MAX) ?? null;
    for (;;) {
      const result = await this.commit({
        ...this.batchOf([received], { messages: [], heads: [], outcomes: [] }),
        setAside: { position, messageId, reason, submit: text },
      });
      if (result === 'committed') break;
      if (result === 'void' && (await this.wasCommitted([received]))) break;
      if (result === 'unstorable') text = null;
      await this.pause();
    }
    metrics.setAside.inc();
    logger.error(
      { partition, position, messageId, reason },
      'a submit could not be stored and was set aside',
    );
    this.moved(position);
    this.answer(reader, received, { kind: 'refused', error: 'NOT_STORABLE' });
    this.purge(reader);
  }

  /**
   * The same few calls of the store for one submit and for a full batch. Retries of what is stored are rare, and no
   * commit stores them again: it is a conflict, and only then they are looked for (`conflict`); but before, while
   * they are likely, and where somebody would be refused who may be told again of what was stored.
   */
  private async plan(submits: readonly ReceivedSubmit[], conflict: boolean): Promise<BatchPlan> {
    const { membership } = this.options;
    const keyed = submits.map((received) => ({ received, dedupeKey: dedupeKeyOf(received.submit) }));
    const stored = this.remembered(keyed.map(({ dedupeKey }) => dedupeKey));
    const notStored = () => keyed.filter(({ dedupeKey }) => !stored.has(dedupeKey.key));
    const lookUp = () =>
      this.lookUp(
        notStored().map(({ dedupeKey }) => dedupeKey),
        stored,
      );

    const expectsRetries = conflict || this.expectingRetries > 0;
    if (expectsRetries) await lookUp();
    const verdicts = await judge(
      notStored().map(({ received }) => received),
      membership,
    );
    const refuses = [...verdicts.values()].some(({ kind }) => kind !== 'store');
    if (refuses && !expectsRetries) await lookUp();

    const judged = keyed.map(({ received, dedupeKey }): JudgedSubmit => ({
      received,
      dedupeKey,
      verdict: verdicts.get(received) ?? { kind: 'refuse', error: 'INTERNAL' },
    }));
    const heads = await this.headsOf(notStored().map(({ received }) => received.submit.conversation));
    return planBatch(judged, stored, (conversation) => heads.get(conversation) ?? NO_HEAD, Date.now());
  }

  private remembered(keys: readonly DedupeKey[]): Map<string, StoredOutcome> {
    const stored = new Map<string, StoredOutcome>();
    for (const { key } of keys) {
      const outcome = this.recent.get(key);
      if (outcome) stored.set(key, outcome);
    }
    return stored;
  }

  /** Adds to `stored` those of the keys that the store has. */
  private async lookUp(keys: readonly DedupeKey[], stored: Map<string, StoredOutcome>): Promise<void> {
    if (keys.length === 0) return;
    const { repository, metrics } = this.options;
    const found = await this.untilItWorks(() => {
      metrics.storeCalls.inc({ call: 'duplicates' });
      return repository.stored(keys);
    });
    this.expectingRetries = found.size > 0 ? LOOKED_UP_AFTER_RETRY : Math.max(0, this.expectingRetries - 1);
    for (const [key, outcome] of found) stored.set(key, outcome);
  }

  private async headsOf(conversations: readonly ConversationKey[]): Promise<Map<ConversationKey, Head>> {
    const heads = new Map<ConversationKey, Head>();
    const unknown = new Set<ConversationKey>();
    for (const conversation of conversations) {
      const head = this.heads.get(conversation);
      if (head) heads.set(conversation, head);
      else unknown.add(conversation);
    }
    if (unknown.size === 0) return heads;
    const read = await this.untilItWorks(() => {
      this.options.metrics.storeCalls.inc({ call: 'heads' });
      return this.options.repository.heads([...unknown]);
    });
    for (const conversation of unknown) heads.set(conversation, read.get(conversation) ?? NO_HEAD);
    return heads;
  }

  private batchOf(submits: readonly ReceivedSubmit[], plan: BatchPlan): Batch {
    return {
      partition: this.partition,
      epoch: this.epoch,
      from: this.position,
      to: positionAfter(submits),
      messages: plan.messages,
      heads: plan.heads,
      setAside: null,
    };
  }

  /** `void` also when nobody knows: then the partition's row tells what happened. */
  private async commit(batch: Batch): Promise<CommitResult> {
    const { repository, metrics } = this.options;
    metrics.storeCalls.inc({ call: 'commit' });
    const stopTimer = metrics.commitSeconds.startTimer();
    try {
      return await repository.commit(batch);
    } catch (err) {
      this.log('the outcome of a commit is not known', err);
      return 'void';
    } finally {
      stopTimer();
    }
  }

  /** Whether the commit that moves the position past the submits was made. Throws when the partition is lost. */
  private async wasCommitted(submits: readonly ReceivedSubmit[]): Promise<boolean> {
    const { repository } = this.options;
    const state = await this.untilItWorks(() => repository.partition(this.partition));
    if (state.epoch !== this.epoch)
      throw new PartitionLost(`epoch ${state.epoch} has replaced ${this.epoch}`);
    if (state.position === positionAfter(submits).position) return true;
    if (state.position === this.position) return false;
    throw new PartitionLost(`the store stands at ${state.position}, not at ${this.position}`);
  }

  /** Answers first: an answer frees its sender, an emit may be repaired. */
  private finish(
    reader: SubmitReader,
    submits: readonly ReceivedSubmit[],
    plan: BatchPlan,
    spans: CommitSpans | null,
  ): void {
    const { delivery, metrics } = this.options;
    const traces = spans?.committed(plan.outcomes) ?? null;
    this.moved(positionAfter(submits).position);
    for (const { conversation, to } of plan.heads) this.heads.set(conversation, to);
    for (const { dedupeKey, message } of plan.messages) this.recent.add(dedupeKey, outcomeOf(message));
    metrics.stored.inc(plan.messages.length);
    submits.forEach((received, index) => {
      const outcome = plan.outcomes[index];
      if (outcome) this.answer(reader, received, outcome);
    });
    delivery.deliver(
      plan.messages.map(({ message }) => message),
      traces,
    );
    this.purge(reader);
  }

  /**
   * A commit was found made whose attempt was not told so. Which attempt it was may be unclear, so the store alone
   * says what became of each submit.
   */
  private async finishFromStore(
    reader: SubmitReader,
    submits: readonly ReceivedSubmit[],
    plan: BatchPlan,
    spans: CommitSpans | null,
  ): Promise<void> {
    const { repository, delivery, metrics } = this.options;
    const keys = submits.map(({ submit }) => dedupeKeyOf(submit));
    const stored = await this.untilItWorks(() => repository.stored(keys));
    const own: { conversation: ConversationKey; from: number; to: number }[] = [];
    const outcomes = submits.map(({ submit }, index): SubmitOutcome => {
      const outcome = stored.get(keys[index]?.key ?? '');
      if (!outcome) {
        const planned = plan.outcomes[index];
        return planned?.kind === 'refused' ? planned : { kind: 'unknown' };
      }
      const duplicate = outcome.messageId !== submit.messageId;
      if (!duplicate) own.push({ conversation: submit.conversation, from: outcome.seq, to: outcome.seq });
      return { kind: 'stored', ...outcome, duplicate };
    });
    const messages = await this.untilItWorks(() => repository.messages(own));
    this.moved(positionAfter(submits).position);
    metrics.stored.inc(messages.length);
    submits.forEach((received, index) =>
      this.answer(reader, received, outcomes[index] ?? { kind: 'unknown' }),
    );
    delivery.deliver(messages, spans?.committed(outcomes) ?? null);
    this.purge(reader);
  }

  private moved(position: number): void {
    this.position = position;
  }

  private answer(reader: SubmitReader, received: ReceivedSubmit, outcome: SubmitOutcome): void {
    const { metrics } = this.options;
    if (outcome.kind === 'stored' && outcome.duplicate) metrics.duplicates.inc();
    if (outcome.kind === 'refused') metrics.refused.inc({ error: outcome.error });
    try {
      reader.answer(received, outcome);
    } catch (err) {
      // A lost answer is asked for again.
      this.log('an answer could not be given', err);
    }
  }

  /** Not waited for: what one purge misses the next one removes. */
  private purge(reader: SubmitReader): void {
    reader.purge(this.position).catch((err: unknown) => this.log('the log could not be purged', err));
  }

  private async untilItWorks<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (err) {
        if (this.isStopping) throw err;
        this.log('the store does not answer', err);
        await this.pause();
      }
    }
  }

  /** Grows while things fail. Throws when the leader is stopped. */
  private async pause(): Promise<void> {
    this.options.metrics.retries.inc();
    const ms = this.pauseMs * (0.5 + Math.random() / 2);
    this.pauseMs = Math.min(this.pauseMs * 2, LONGEST_PAUSE_MS);
    await sleep(ms, undefined, { signal: this.stopping.signal });
  }

  private log(text: string, err: unknown): void {
    this.options.logger.warn({ err, partition: this.partition }, text);
  }
}

function outcomeOf({ messageId, seq, serverTime }: StoredMessage): StoredOutcome {
  return { messageId, seq, serverTime };
}

function positionAfter(submits: readonly ReceivedSubmit[]): LogPosition {
  const last = submits.at(-1);
  if (!last) throw new Error('a batch has at least one submit');
  return { position: last.position, messageId: messageIdOf(last) };
}

/** Null where a submit is so wrong that it has none. */
function messageIdOf({ submit }: ReceivedSubmit): string | null {
  const { messageId } = (submit ?? {}) as { messageId?: unknown };
  return typeof messageId === 'string' ? messageId : null;
}

/** Whether each submit's sender may write to its conversation, as of what is known now. */
async function judge(
  submits: readonly ReceivedSubmit[],
  membership: MembershipView,
): Promise<Map<ReceivedSubmit, Verdict>> {
  const verdicts = new Map<ReceivedSubmit, Verdict>();
  const toGroups: ReceivedSubmit[] = [];
  const questions: MembershipQuestion[] = [];
  for (const received of submits) {
    const { conversation, sender, membershipVersion } = received.submit;
    const parsed = parseConversation(conversation);
    if (parsed.kind === 'group') {
      toGroups.push(received);
      questions.push({ groupId: parsed.groupId, userId: sender, version: membershipVersion });
    } else if (parsed.users.includes(sender)) {
      verdicts.set(received, { kind: 'store', membershipVersion: 0 });
    } else {
      verdicts.set(received, { kind: 'refuse', error: 'NOT_A_MEMBER' });
    }
  }
  const standings = await membership.standings(questions);
  toGroups.forEach((received, index) => {
    const standing = standings[index];
    if (!standing) verdicts.set(received, { kind: 'refuse', error: 'UNAVAILABLE' });
    else if (!standing.member) verdicts.set(received, { kind: 'refuse', error: 'NOT_A_MEMBER' });
    else verdicts.set(received, { kind: 'store', membershipVersion: standing.version });
  });
  return verdicts;
}
