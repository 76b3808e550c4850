import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import {
  PARTITION_LEASES,
  SUBMIT_LOG,
  type Lease,
  type PartitionLeases,
  type SubmitLog,
} from '@starling/bus';
import { CONFIG, type Config } from '@starling/config';
import { LOGGER, ReadinessChecks, TRACER, type Tracer } from '@starling/observability';
import type { Logger } from 'pino';
import { Delivery } from '../delivery/delivery.js';
import { MembershipView } from '../membership/membership-view.js';
import { MESSAGE_REPOSITORY, type MessageRepository } from '../repository/message-repository.js';
import { PartitionLeader } from './partition-leader.js';
import { StoreMetrics } from './store-metrics.js';

/** The leaders of this process: of the partitions whose leases it holds. */
@Injectable()
export class PartitionLeaders implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown {
  private readonly leaders = new Set<PartitionLeader>();
  private readonly opening = new Set<Promise<void>>();
  /** From the first lease asked for until the end. */
  private leading = false;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(MESSAGE_REPOSITORY) private readonly repository: MessageRepository,
    @Inject(SUBMIT_LOG) private readonly log: SubmitLog,
    @Inject(PARTITION_LEASES) private readonly leases: PartitionLeases,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(TRACER) private readonly tracer: Tracer | null,
    private readonly membership: MembershipView,
    private readonly delivery: Delivery,
    private readonly metrics: StoreMetrics,
    private readonly readiness: ReadinessChecks,
  ) {
    metrics.watchBacklogs(() =>
      [...this.leaders].map(({ partition, backlog }) => [partition, backlog] as const),
    );
  }

  async onModuleInit(): Promise<void> {
    this.readiness.add('message-store', () => this.check());
    await this.membership.start();
  }

  /** Resolves with every partition open that could be had at once: whoever is let in after this can send. */
  async onApplicationBootstrap(): Promise<void> {
    this.leading = true;
    await this.leases.start((lease) => this.lead(lease));
    await Promise.all(this.opening);
  }

  /** Late, so that gateways can finish what they began. */
  async onApplicationShutdown(): Promise<void> {
    this.leading = false;
    await this.leases.stop();
    await this.membership.stop();
  }

  private async lead(lease: Lease): Promise<void> {
    const { config, repository, log, membership, delivery, metrics, logger, tracer } = this;
    const leader = new PartitionLeader({
      lease,
      partitions: config.PARTITIONS,
      batchMax: config.BATCH_MAX,
      repository,
      log,
      membership,
      delivery,
      metrics,
      logger,
      tracer,
      onLoss: ({ partition }) => this.readiness.note(`partition ${partition}`, 'its log has lost submits'),
    });
    this.leaders.add(leader);
    const opening = leader.start();
    this.opening.add(opening);
    void opening.then(() => this.opening.delete(opening));
    await new Promise<void>((resolve) => {
      if (lease.ending.aborted) resolve();
      else lease.ending.addEventListener('abort', () => resolve(), { once: true });
    });
    await leader.stop();
    this.leaders.delete(leader);
  }

  private async check(): Promise<void> {
    if (!this.leading) throw new Error('no partition is led before the start and after the end');
    for (const { isOpen, partition } of this.leaders) {
      if (!isOpen) throw new Error(`partition ${partition} is not open`);
    }
    await this.repository.positions();
  }
}
