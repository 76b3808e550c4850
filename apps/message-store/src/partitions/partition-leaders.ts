import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { SUBMIT_LOG, type SubmitLog } from '@starling/bus';
import { CONFIG, type Config } from '@starling/config';
import { LOGGER, ReadinessChecks } from '@starling/observability';
import type { Logger } from 'pino';
import { Delivery } from '../delivery/delivery.js';
import { MembershipView } from '../membership/membership-view.js';
import { MESSAGE_REPOSITORY, type MessageRepository } from '../repository/message-repository.js';
import { PartitionLeader } from './partition-leader.js';
import { StoreMetrics } from './store-metrics.js';

/** The leaders of this process, from its start to its end: of all partitions. */
@Injectable()
export class PartitionLeaders implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown {
  private readonly leaders: readonly PartitionLeader[];

  constructor(
    @Inject(CONFIG) config: Config,
    @Inject(MESSAGE_REPOSITORY) private readonly repository: MessageRepository,
    @Inject(SUBMIT_LOG) log: SubmitLog,
    @Inject(LOGGER) logger: Logger,
    private readonly membership: MembershipView,
    delivery: Delivery,
    metrics: StoreMetrics,
    private readonly readiness: ReadinessChecks,
  ) {
    this.leaders = Array.from(
      { length: config.PARTITIONS },
      (_, partition) =>
        new PartitionLeader({
          partition,
          partitions: config.PARTITIONS,
          batchMax: config.BATCH_MAX,
          repository,
          log,
          membership,
          delivery,
          metrics,
          logger,
        }),
    );
    metrics.watchBacklogs(() =>
      this.leaders.map((leader, partition) => [partition, leader.backlog] as const),
    );
  }

  async onModuleInit(): Promise<void> {
    this.readiness.add('message-store', () => this.check());
    await this.membership.start();
  }

  /** Resolves with every partition open: whoever is let in after this can send. */
  async onApplicationBootstrap(): Promise<void> {
    await Promise.all(this.leaders.map((leader) => leader.start()));
  }

  /** Late, so that gateways can finish what they began. */
  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.leaders.map((leader) => leader.stop()));
    await this.membership.stop();
  }

  private async check(): Promise<void> {
    if (!this.leaders.every((leader) => leader.isOpen)) throw new Error('a partition is not open');
    await this.repository.positions();
  }
}
