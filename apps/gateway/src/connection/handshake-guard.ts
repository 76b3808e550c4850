import type { IncomingMessage } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@starling/config';
import { LOGGER } from '@starling/observability';
import type { Logger } from 'pino';
import { urlForLog } from '../authentication/token-source.js';
import { AddressLimit } from './address-limit.js';
import { clientAddressOf, type ClientAddress, type ClientAddressOf } from './client-address.js';
import type { Endpoint } from './client-connection.js';
import { GatewayMetrics } from './gateway-metrics.js';
import { originPolicy, type OriginPolicy } from './origin-policy.js';

/** Why a handshake is refused, as an HTTP status and text. */
export interface HandshakeRefusal {
  readonly status: number;
  readonly text: string;
}

const FOREIGN_ORIGIN = { status: 403, text: 'origin not allowed' };
const TOO_MANY = { status: 429, text: 'too many connections from this address' };
const STOPPING = { status: 503, text: 'shutting down' };

/** Decides which handshakes become connections, the same way on both endpoints. */
@Injectable()
export class HandshakeGuard {
  readonly allowsOrigin: OriginPolicy;
  private readonly perAddress: AddressLimit;
  private readonly addressOfClient: ClientAddressOf;
  private stopping = false;

  constructor(
    @Inject(CONFIG) config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly metrics: GatewayMetrics,
  ) {
    this.allowsOrigin = originPolicy(config.ALLOWED_ORIGINS);
    this.addressOfClient = clientAddressOf(config.TRUSTED_PROXIES);
    this.perAddress = new AddressLimit(config.MAX_CONNECTIONS_PER_ADDRESS);
  }

  addressOf(request: IncomingMessage): ClientAddress {
    return this.addressOfClient(request.socket.remoteAddress, request.headers['x-forwarded-for']);
  }

  /** Null when the handshake may go on. */
  refusalOf(request: IncomingMessage, endpoint: Endpoint): HandshakeRefusal | null {
    const refusal = this.decide(request);
    if (refusal !== null) {
      this.metrics.handshakesRefused.inc({ endpoint, reason: refusal.text });
      this.logger.debug(
        {
          endpoint,
          status: refusal.status,
          url: urlForLog(request.url),
          address: this.addressOf(request).address,
        },
        'handshake refused',
      );
    }
    return refusal;
  }

  /** Counts an open connection until the returned function is called. */
  count(request: IncomingMessage, endpoint: Endpoint): () => void {
    const { network } = this.addressOf(request);
    this.perAddress.take(network);
    this.metrics.connections.inc({ endpoint });
    let counted = true;
    return () => {
      if (!counted) return;
      counted = false;
      this.perAddress.release(network);
      this.metrics.connections.dec({ endpoint });
    };
  }

  /** No handshake succeeds any more. */
  stop(): void {
    this.stopping = true;
  }

  private decide(request: IncomingMessage): HandshakeRefusal | null {
    if (this.stopping) return STOPPING;
    if (!this.allowsOrigin(request.headers.origin)) return FOREIGN_ORIGIN;
    return this.perAddress.isFull(this.addressOf(request).network) ? TOO_MANY : null;
  }
}
