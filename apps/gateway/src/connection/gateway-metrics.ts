import { Inject, Injectable } from '@nestjs/common';
import { METRICS } from '@starling/observability';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What the gateway's connections and commands count. */
@Injectable()
export class GatewayMetrics {
  readonly connections: Gauge<'endpoint'>;
  readonly handshakesRefused: Counter<'endpoint' | 'reason'>;
  readonly packets: Counter<'command' | 'result'>;
  readonly ackSeconds: Histogram;
  readonly encodes: Counter<'form'>;
  readonly closes: Counter<'reason'>;
  readonly brokenFrames: Counter<'endpoint'>;
  readonly rateLimited: Counter;

  constructor(@Inject(METRICS) private readonly registry: Registry) {
    const registers = [registry];
    this.connections = new Gauge({
      name: 'starling_connections',
      help: 'Open connections.',
      labelNames: ['endpoint'],
      registers,
    });
    this.handshakesRefused = new Counter({
      name: 'starling_handshakes_refused_total',
      help: 'Handshakes refused.',
      labelNames: ['endpoint', 'reason'],
      registers,
    });
    this.packets = new Counter({
      name: 'starling_packets_total',
      help: 'Packets answered, by command and by result (ok, or the name of the error).',
      labelNames: ['command', 'result'],
      registers,
    });
    this.ackSeconds = new Histogram({
      name: 'starling_ack_seconds',
      help: 'Time from a message packet to the answer that says it is stored.',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    });
    this.encodes = new Counter({
      name: 'starling_delivery_encodes_total',
      help: 'Frames built for deliveries; at most one for each message, wire form and value of isItMe.',
      labelNames: ['form'],
      registers,
    });
    this.closes = new Counter({
      name: 'starling_connections_closed_total',
      help: 'Connections closed by the server, by reason.',
      labelNames: ['reason'],
      registers,
    });
    this.brokenFrames = new Counter({
      name: 'starling_broken_frames_total',
      help: 'Frames and packets that could not be read.',
      labelNames: ['endpoint'],
      registers,
    });
    this.rateLimited = new Counter({
      name: 'starling_packets_rate_limited_total',
      help: 'Packets refused because their connection sent too many.',
      registers,
    });
  }

  /** Counted when somebody looks. */
  watchUnansweredSubmits(unanswered: () => number): void {
    new Gauge({
      name: 'starling_submits_unanswered',
      help: 'Messages handed to the bus whose outcome this gateway waits for.',
      registers: [this.registry],
      collect() {
        this.set(unanswered());
      },
    });
  }
}
