import { Inject, Injectable } from '@nestjs/common';
import { METRICS } from '@starling/observability';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

@Injectable()
export class StoreMetrics {
  readonly stored: Counter;
  readonly duplicates: Counter;
  readonly refused: Counter<'error'>;
  readonly setAside: Counter;
  readonly batchSize: Histogram;
  readonly commitSeconds: Histogram;
  /** Per call, not per message: the cost of a message is these divided by the stored ones. */
  readonly storeCalls: Counter<'call'>;
  readonly publishes: Counter;
  readonly retries: Counter;
  readonly losses: Counter;

  constructor(@Inject(METRICS) private readonly registry: Registry) {
    const registers = [registry];
    this.stored = new Counter({
      name: 'starling_store_messages_total',
      help: 'Messages stored',
      registers,
    });
    this.duplicates = new Counter({
      name: 'starling_store_duplicates_total',
      help: 'Submits answered with an earlier message',
      registers,
    });
    this.refused = new Counter({
      name: 'starling_store_refused_total',
      help: 'Submits refused, by error',
      labelNames: ['error'],
      registers,
    });
    this.setAside = new Counter({
      name: 'starling_store_set_aside_total',
      help: 'Submits that could not be stored and were set aside',
      registers,
    });
    this.batchSize = new Histogram({
      name: 'starling_store_batch_size',
      help: 'Submits read for one commit',
      buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000],
      registers,
    });
    this.commitSeconds = new Histogram({
      name: 'starling_store_commit_seconds',
      help: 'Time from handing a batch to the store until it is durable',
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10],
      registers,
    });
    this.storeCalls = new Counter({
      name: 'starling_store_calls_total',
      help: 'Calls to the store on the path of messages, by call',
      labelNames: ['call'],
      registers,
    });
    this.publishes = new Counter({
      name: 'starling_store_publishes_total',
      help: 'Emits of stored messages to rooms',
      registers,
    });
    this.retries = new Counter({
      name: 'starling_store_retries_total',
      help: 'Times a partition had to try again: the store or the log did not do its part',
      registers,
    });
    this.losses = new Counter({
      name: 'starling_store_log_losses_total',
      help: 'Times the log of a partition was found to have lost submits, of which none was acknowledged',
      registers,
    });
  }

  /** Counted when somebody looks. */
  watchBacklogs(backlogs: () => Iterable<readonly [partition: number, waiting: number]>): void {
    new Gauge({
      name: 'starling_store_backlog',
      help: 'Submits that wait in the log of a partition',
      labelNames: ['partition'],
      registers: [this.registry],
      collect() {
        // Or partitions that others lead by now would keep what waited last.
        this.reset();
        for (const [partition, waiting] of backlogs()) this.set({ partition: String(partition) }, waiting);
      },
    });
  }
}
