import { loadConfig, type Config } from '@starling/config';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { FeedMetrics } from '../src/feed/feed-metrics.js';
import { Feed } from '../src/feed/feed.js';
import { KnownVersions } from '../src/feed/known-versions.js';
import { PositionsReader } from '../src/feed/positions-reader.js';
import { SilenceCheck } from '../src/feed/silence-check.js';
import { RecordedRooms } from './recorded-connection.js';
import { SimulatedStore } from './simulated-store.js';

/** One gateway's feed on a simulated store and rooms. */
export class FeedPod {
  readonly registry = new Registry();
  readonly rooms = new RecordedRooms();
  readonly versions = new KnownVersions();
  readonly config: Config;
  readonly feed: Feed;
  readonly check: SilenceCheck;
  readonly positions: PositionsReader;
  readonly logger = pino({ level: 'silent' });

  constructor(
    readonly store: SimulatedStore,
    environment: Record<string, string> = {},
  ) {
    this.config = loadConfig(environment);
    const metrics = new FeedMetrics(this.registry);
    this.feed = new Feed(this.rooms, store, this.config, this.logger, this.versions, metrics, null);
    this.check = new SilenceCheck(this.feed, store, this.config, this.logger);
    this.positions = new PositionsReader(store);
  }

  async metric(name: string): Promise<number> {
    const metric = await this.registry.getSingleMetric(`starling_feed_${name}`)!.get();
    return metric.values[0]?.value ?? 0;
  }
}
