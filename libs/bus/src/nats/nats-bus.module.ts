import { Global, Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import type { ClientProxy } from '@nestjs/microservices';
import { CONFIG, type Config } from '@starling/config';
import { LOGGER, METRICS, ReadinessChecks } from '@starling/observability';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { BusMetrics } from '../bus-metrics.js';
import { PARTITION_LEASES } from '../leases/partition-leases.js';
import { MEMBERSHIP_FOLLOWER, MEMBERSHIP_PUBLISHER } from '../membership/membership-stream.js';
import { NestRequestClient } from '../requests/nest-request-client.js';
import { REQUEST_CLIENT } from '../requests/request-client.js';
import { SUBMIT_LOG } from '../submits/submit-log.js';
import { SUBMIT_PUBLISHER } from '../submits/submit-publisher.js';
import { BusConnection, type NatsOptions } from './nats-connection.js';
import { NatsMembershipStream } from './nats-membership-stream.js';
import { NatsPartitionLeases } from './nats-partition-leases.js';
import { checkRequestProxy, natsRequestProxy } from './nats-requests.js';
import { NatsSubmitLog } from './nats-submit-log.js';
import { NatsSubmitPublisher } from './nats-submit-publisher.js';
import { refuseLittleRoom } from './packet-room.js';

const REQUEST_PROXY = Symbol('RequestProxy');

/** How this process connects, for the bus and for `natsRequestServer`. */
export function natsOptionsOf(config: Config, service: string): NatsOptions {
  return { servers: config.NATS_URL, name: `starling ${service}` };
}

/** The bus of the cluster profile. Whatever needs it waits until the server is there. */
@Global()
@Module({})
export class NatsBusModule implements OnApplicationShutdown {
  constructor(
    private readonly connection: BusConnection,
    private readonly publisher: NatsSubmitPublisher,
    private readonly memberships: NatsMembershipStream,
    @Inject(REQUEST_PROXY) private readonly proxy: ClientProxy,
    readiness: ReadinessChecks,
  ) {
    readiness.add('nats', async () => {
      await Promise.all([connection.check(), checkRequestProxy(proxy)]);
    });
  }

  /** `service`: gateway, presence, groups, message-store or admin. */
  static register(service: string): DynamicModule {
    return {
      module: NatsBusModule,
      providers: [
        {
          provide: BusConnection,
          inject: [CONFIG, LOGGER],
          useFactory: async (config: Config, logger: Logger) => {
            const connection = await BusConnection.open(natsOptionsOf(config, service), logger);
            await refuseLittleRoom(connection, config);
            return connection;
          },
        },
        {
          provide: BusMetrics,
          inject: [METRICS],
          useFactory: (metrics: Registry) => new BusMetrics(metrics),
        },
        {
          provide: REQUEST_PROXY,
          inject: [CONFIG],
          useFactory: (config: Config) => natsRequestProxy(natsOptionsOf(config, service)),
        },
        {
          provide: REQUEST_CLIENT,
          inject: [REQUEST_PROXY, BusMetrics],
          useFactory: (proxy: ClientProxy, metrics: BusMetrics) => new NestRequestClient(proxy, metrics),
        },
        {
          provide: NatsSubmitPublisher,
          inject: [BusConnection, CONFIG, BusMetrics],
          useFactory: (connection: BusConnection, config: Config, metrics: BusMetrics) =>
            new NatsSubmitPublisher(
              connection,
              { maxUnanswered: config.SUBMIT_LOG_MAX, deadlineMs: config.SUBMIT_DEADLINE_MS },
              metrics,
            ),
        },
        { provide: SUBMIT_PUBLISHER, useExisting: NatsSubmitPublisher },
        {
          provide: SUBMIT_LOG,
          inject: [BusConnection, CONFIG, LOGGER, BusMetrics],
          useFactory: (connection: BusConnection, config: Config, logger: Logger, metrics: BusMetrics) =>
            new NatsSubmitLog(
              connection,
              {
                maxWaiting: config.SUBMIT_LOG_MAX,
                replicas: config.NATS_REPLICAS,
                deadlineMs: config.SUBMIT_DEADLINE_MS,
              },
              logger,
              metrics,
            ),
        },
        {
          provide: PARTITION_LEASES,
          inject: [BusConnection, CONFIG, LOGGER],
          useFactory: (connection: BusConnection, config: Config, logger: Logger) =>
            new NatsPartitionLeases(
              connection,
              {
                partitions: config.PARTITIONS,
                leaseMs: config.PARTITION_LEASE_MS,
                replicas: config.NATS_REPLICAS,
              },
              logger,
            ),
        },
        {
          provide: NatsMembershipStream,
          inject: [BusConnection, CONFIG, LOGGER],
          useFactory: (connection: BusConnection, config: Config, logger: Logger) =>
            new NatsMembershipStream(connection, { replicas: config.NATS_REPLICAS }, logger),
        },
        { provide: MEMBERSHIP_PUBLISHER, useExisting: NatsMembershipStream },
        { provide: MEMBERSHIP_FOLLOWER, useExisting: NatsMembershipStream },
      ],
      exports: [
        REQUEST_CLIENT,
        SUBMIT_PUBLISHER,
        SUBMIT_LOG,
        PARTITION_LEASES,
        MEMBERSHIP_PUBLISHER,
        MEMBERSHIP_FOLLOWER,
      ],
    };
  }

  /** Modules that use the bus are imported after it, so they have stopped. */
  async onApplicationShutdown(): Promise<void> {
    this.publisher.close();
    await this.memberships.close();
    await this.proxy.close();
    await this.connection.close();
  }
}
