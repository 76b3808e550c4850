import { Inject, Injectable } from '@nestjs/common';
import { METRICS } from '@starling/observability';
import { Counter, Gauge, type Registry } from 'prom-client';

/** What the feed counts. */
@Injectable()
export class FeedMetrics {
  readonly deliveries: Counter;
  readonly duplicates: Counter;
  readonly gaps: Counter;
  readonly repaired: Counter;
  readonly held: Counter;
  readonly replayed: Counter;
  readonly conversations: Gauge;

  constructor(@Inject(METRICS) registry: Registry) {
    const counter = (name: string, help: string): Counter =>
      new Counter({ name: `starling_feed_${name}_total`, help, registers: [registry] });
    this.deliveries = counter('deliveries', 'Messages written to connections, one for each connection.');
    this.duplicates = counter(
      'duplicates',
      'Messages dropped because they had been delivered or waited already.',
    );
    this.gaps = counter('gaps', 'Gaps found, each repaired once for the whole gateway.');
    this.repaired = counter(
      'repaired',
      'Messages pulled from the store because no broadcast brought them in time.',
    );
    this.held = counter('held', 'Times messages of a group began to wait for its membership to be known.');
    this.replayed = counter(
      'replayed',
      'Messages written at login to clients that were away and never sync.',
    );
    this.conversations = new Gauge({
      name: 'starling_feed_conversations',
      help: 'Conversations whose delivery this gateway keeps track of.',
      registers: [registry],
    });
  }
}
