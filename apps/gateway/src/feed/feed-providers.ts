import type { Provider } from '@nestjs/common';
import { FeedMetrics } from './feed-metrics.js';
import { Feed } from './feed.js';
import { KnownVersions } from './known-versions.js';
import { PositionsReader } from './positions-reader.js';
import { RoomEvents } from './room-events.js';
import { SilenceCheck } from './silence-check.js';

/** What the gateway's module registers of this folder. */
export const FEED_PROVIDERS: Provider[] = [
  FeedMetrics,
  KnownVersions,
  Feed,
  PositionsReader,
  RoomEvents,
  SilenceCheck,
];
