import { Global, Module } from '@nestjs/common';
import { CONFIG, type Config } from '@starling/config';
import { LOGGER, METRICS } from '@starling/observability';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { BusMetrics } from '../bus-metrics.js';
import { PARTITION_LEASES } from '../leases/partition-leases.js';
import { MEMBERSHIP_FOLLOWER, MEMBERSHIP_PUBLISHER } from '../membership/membership-stream.js';
import { NestRequestClient } from '../requests/nest-request-client.js';
import { REQUEST_CLIENT } from '../requests/request-client.js';
import { SUBMIT_LOG } from '../submits/submit-log.js';
import { SUBMIT_PUBLISHER } from '../submits/submit-publisher.js';
import { InProcessMembershipStream } from './in-process-membership-stream.js';
import { InProcessPartitionLeases } from './in-process-partition-leases.js';
import { InProcessRequestProxy, InProcessRequestServer } from './in-process-requests.js';
import { InProcessSubmits } from './in-process-submits.js';

/** The bus of the embedded profile: every port of it, within one process. */
@Global()
@Module({
  providers: [
    InProcessRequestServer,
    InProcessMembershipStream,
    {
      provide: REQUEST_CLIENT,
      inject: [InProcessRequestServer, METRICS],
      useFactory: (server: InProcessRequestServer, metrics: Registry) =>
        new NestRequestClient(new InProcessRequestProxy(server), new BusMetrics(metrics)),
    },
    {
      provide: InProcessSubmits,
      inject: [CONFIG],
      useFactory: (config: Config) =>
        new InProcessSubmits({ maxWaiting: config.SUBMIT_LOG_MAX, deadlineMs: config.SUBMIT_DEADLINE_MS }),
    },
    { provide: SUBMIT_PUBLISHER, useExisting: InProcessSubmits },
    { provide: SUBMIT_LOG, useExisting: InProcessSubmits },
    {
      provide: PARTITION_LEASES,
      inject: [CONFIG, LOGGER],
      useFactory: (config: Config, logger: Logger) => new InProcessPartitionLeases(config.PARTITIONS, logger),
    },
    { provide: MEMBERSHIP_PUBLISHER, useExisting: InProcessMembershipStream },
    { provide: MEMBERSHIP_FOLLOWER, useExisting: InProcessMembershipStream },
  ],
  exports: [
    REQUEST_CLIENT,
    SUBMIT_PUBLISHER,
    SUBMIT_LOG,
    PARTITION_LEASES,
    MEMBERSHIP_PUBLISHER,
    MEMBERSHIP_FOLLOWER,
    InProcessRequestServer,
  ],
})
export class InProcessBusModule {}
