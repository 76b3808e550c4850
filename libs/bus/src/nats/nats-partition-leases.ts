import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Lease, PartitionLeases, PartitionWork } from '../leases/partition-leases.js';
import { fairShare } from './fair-share.js';
import { LeaseBucket, type LeaseEntry } from './lease-bucket.js';
import type { BusConnection } from './nats-connection.js';

const RENEWALS_A_KEY = 3;
const LOOKS_A_LEASE = 20;
/** The server looks for keys that are over no more often. */
const REMOVAL_MS = 250;
const PAUSE_MS = 200;

export interface PartitionLeasesOptions {
  readonly partitions: number;
  readonly leaseMs: number;
  readonly replicas: number;
}

/**
 * Leases in a KV bucket: `partition.<p>` holds the name of who leads it, `worker.<name>` says who is there to lead.
 * Keys end by themselves unless they are renewed, and are taken by their revision alone, so two never hold one.
 */
export class NatsPartitionLeases implements PartitionLeases {
  /** How long a key lives that is not renewed: its removal, and the look that finds it gone, are of the lease, too. */
  private readonly keyMs: number;
  /** Older workers come first in the order of names, so that a new one moves as little as may be. */
  readonly worker = `${Date.now().toString(36).padStart(9, '0')}-${randomBytes(6).toString('hex')}`;
  private readonly held = new Map<number, HeldLease>();
  private readonly working = new Map<number, Promise<void>>();
  private bucket: LeaseBucket | null = null;
  private bucketIsSound = false;
  private work: PartitionWork = async () => undefined;
  private renewedAt = -Infinity;
  private looking: Promise<void> | null = null;
  private lookAgain = false;
  private timer: NodeJS.Timeout | undefined;
  private endChanges: () => void = () => undefined;
  private isStopping = false;

  constructor(
    private readonly connection: BusConnection,
    private readonly options: PartitionLeasesOptions,
    private readonly logger: Logger,
  ) {
    const { leaseMs } = options;
    this.keyMs = Math.round(Math.max(leaseMs / 2, leaseMs - REMOVAL_MS - (2 * leaseMs) / LOOKS_A_LEASE));
  }

  async start(work: PartitionWork): Promise<void> {
    this.work = work;
    const bucket = await this.join();
    if (bucket === null) return;
    this.endChanges = bucket.onChange(() => this.lookNow());
    await this.look();
    bucket.tellChange();
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    clearTimeout(this.timer);
    this.endChanges();
    await this.looking;
    // First of all, so that the others reckon without this worker. Where it fails the key ends by itself.
    await this.bucket?.giveBack(this.ownKey, this.worker).catch(() => undefined);
    for (const lease of this.held.values()) lease.end();
    await Promise.all(this.working.values());
  }

  /** Waits until NATS answers, whenever that is. Null when it is stopped before. */
  private async join(): Promise<LeaseBucket | null> {
    let told = '';
    while (!this.isStopping) {
      try {
        const bucket = await this.soundBucket();
        await bucket.put(this.ownKey, this.worker);
        return bucket;
      } catch (error) {
        if (this.connection.isClosed) throw error;
        this.bucketIsSound = false;
        const reason = error instanceof Error ? error.message : String(error);
        if (reason !== told) this.logger.warn({ reason }, 'partitions cannot be led yet');
        told = reason;
        await sleep(PAUSE_MS);
      }
    }
    return null;
  }

  private get ownKey(): string {
    return `worker.${this.worker}`;
  }

  private lookNow(): void {
    if (this.looking) this.lookAgain = true;
    else void this.look();
  }

  /** One look at a time: what is there, renewals, and what this worker ought to have. */
  private look(): Promise<void> {
    clearTimeout(this.timer);
    this.lookAgain = false;
    this.looking = this.lookOnce()
      .catch((err: unknown) => {
        if (this.connection.isConnected) this.logger.warn({ err }, 'the leases of partitions cannot be read');
        this.bucketIsSound = false;
      })
      .finally(() => {
        this.looking = null;
        if (this.isStopping) return;
        if (this.lookAgain) return void this.look();
        this.timer = setTimeout(() => void this.look(), this.options.leaseMs / LOOKS_A_LEASE);
      });
    return this.looking;
  }

  private async lookOnce(): Promise<void> {
    if (!this.connection.isConnected) return;
    const bucket = await this.soundBucket();
    const [workers, partitions] = await Promise.all([bucket.entries('worker'), bucket.entries('partition')]);
    await this.renew(bucket, partitions);
    if (this.isStopping) return;
    const living = [...workers].filter(([, { holder }]) => holder !== null).map(([name]) => name);
    const share = fairShare(this.worker, [...new Set([...living, this.worker])], this.options.partitions);
    const kept = [...this.held.values()].filter((lease) => !lease.ending.aborted);
    if (kept.length > share) for (const lease of kept.slice(share)) lease.end();
    else await this.takeUpTo(share - kept.length, bucket, partitions);
  }

  /** Made again where it was lost. */
  private async soundBucket(): Promise<LeaseBucket> {
    if (this.bucket !== null && this.bucketIsSound) return this.bucket;
    this.bucket = await LeaseBucket.open(this.connection, this.keyMs, this.options.replicas);
    this.bucketIsSound = true;
    return this.bucket;
  }

  private async renew(bucket: LeaseBucket, partitions: ReadonlyMap<string, LeaseEntry>): Promise<void> {
    for (const lease of this.held.values()) {
      const entry = partitions.get(String(lease.partition));
      // Answers may be older than what this worker wrote itself.
      if (entry && entry.revision < lease.revision) continue;
      if (entry?.holder === this.worker) lease.revision = entry.revision;
      else if (entry) this.lose(lease, 'another worker holds it');
    }
    const now = performance.now();
    if (now - this.renewedAt < this.keyMs / RENEWALS_A_KEY) return;
    const renewals = [...this.held.values()].map(async (lease) => {
      const sentAt = performance.now();
      const revision = await bucket.take(lease.key, this.worker, lease.revision);
      if (revision !== null) lease.renewed(revision, sentAt + this.keyMs);
    });
    await Promise.all([...renewals, bucket.put(this.ownKey, this.worker)]);
    this.renewedAt = now;
  }

  private async takeUpTo(
    count: number,
    bucket: LeaseBucket,
    partitions: ReadonlyMap<string, LeaseEntry>,
  ): Promise<void> {
    const free = Array.from({ length: this.options.partitions }, (_, partition) => partition).filter(
      (partition) =>
        (partitions.get(String(partition))?.holder ?? null) === null && !this.working.has(partition),
    );
    // Each worker begins elsewhere, so that they do not all try the same.
    const begin = Math.floor(Math.random() * free.length);
    const wanted = [...free.slice(begin), ...free.slice(0, begin)].slice(0, count);
    await Promise.all(
      wanted.map(async (partition) => {
        const sentAt = performance.now();
        const key = keyOf(partition);
        const revision = await bucket.take(
          key,
          this.worker,
          partitions.get(String(partition))?.revision ?? 0,
        );
        if (revision === null) return;
        if (this.isStopping) return bucket.giveBack(key, this.worker);
        this.lead(bucket, partition, revision, sentAt + this.keyMs);
      }),
    );
  }

  private lead(bucket: LeaseBucket, partition: number, revision: number, until: number): void {
    const lease = new HeldLease(partition, revision, until, () =>
      this.lose(lease, 'it could not be renewed'),
    );
    this.held.set(partition, lease);
    this.logger.info({ partition, worker: this.worker }, 'leads the partition');
    const ended = this.work(lease)
      .catch((err: unknown) => this.logger.error({ err, partition }, 'the work on a partition failed'))
      .then(() => this.giveBack(bucket, lease));
    this.working.set(partition, ended);
  }

  private async giveBack(bucket: LeaseBucket, lease: HeldLease): Promise<void> {
    const { partition } = lease;
    try {
      if (this.held.get(partition) !== lease) return;
      this.held.delete(partition);
      lease.end();
      if (lease.isHeld) await bucket.giveBack(lease.key, this.worker);
      bucket.tellChange();
      this.logger.info({ partition, worker: this.worker }, 'leads the partition no more');
    } catch (err) {
      // Then it ends by itself.
      this.logger.warn({ err, partition }, 'the lease of a partition could not be given back');
    } finally {
      lease.forget();
      this.working.delete(partition);
    }
  }

  private lose(lease: HeldLease, reason: string): void {
    if (this.held.get(lease.partition) !== lease) return;
    this.held.delete(lease.partition);
    lease.forget();
    lease.end();
    this.logger.warn({ partition: lease.partition, reason }, 'the lease of a partition is lost');
  }
}

function keyOf(partition: number): string {
  return `partition.${partition}`;
}

class HeldLease implements Lease {
  private readonly end_ = new AbortController();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    readonly partition: number,
    public revision: number,
    private until: number,
    private readonly onOver: () => void,
  ) {
    this.watch();
  }

  get key(): string {
    return keyOf(this.partition);
  }

  get ending(): AbortSignal {
    return this.end_.signal;
  }

  /** By this process's own clock, from before the renewal was sent: the server's copy ends later. */
  get isHeld(): boolean {
    return performance.now() < this.until;
  }

  renewed(revision: number, until: number): void {
    this.revision = revision;
    this.until = until;
    this.watch();
  }

  end(): void {
    this.end_.abort();
  }

  /** It is over, one way or the other. */
  forget(): void {
    clearTimeout(this.timer);
    this.until = -Infinity;
  }

  private watch(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(this.onOver, Math.max(0, this.until - performance.now()));
  }
}
