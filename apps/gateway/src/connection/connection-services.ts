import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@starling/config';
import { LOGGER } from '@starling/observability';
import type { Logger } from 'pino';
import { Connections } from './connections.js';
import { GatewayInstance } from './gateway-instance.js';
import { GatewayMetrics } from './gateway-metrics.js';
import { PACKET_RECEIVER, type PacketReceiver } from './packet-receiver.js';
import { WireForms } from './wire-forms.js';

/** What every connection works with. */
@Injectable()
export class ConnectionServices {
  constructor(
    @Inject(CONFIG) readonly config: Config,
    @Inject(LOGGER) readonly logger: Logger,
    @Inject(PACKET_RECEIVER) readonly receiver: PacketReceiver,
    readonly connections: Connections,
    readonly forms: WireForms,
    readonly instance: GatewayInstance,
    readonly metrics: GatewayMetrics,
  ) {}
}
