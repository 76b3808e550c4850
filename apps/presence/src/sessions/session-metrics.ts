import { Inject, Injectable } from '@nestjs/common';
import { METRICS } from '@starling/observability';
import { Gauge, Registry } from 'prom-client';
import { SESSION_REGISTRY, type SessionRegistry } from './session-registry.js';

/** Counted when somebody looks, so that no change of a session pays for it. */
@Injectable()
export class SessionMetrics {
  constructor(@Inject(METRICS) metrics: Registry, @Inject(SESSION_REGISTRY) registry: SessionRegistry) {
    new Gauge({
      name: 'starling_presence_sessions',
      help: 'Sessions of logged-in connections, on all gateways',
      registers: [metrics],
      async collect() {
        this.set((await registry.count()).sessions);
      },
    });
    new Gauge({
      name: 'starling_presence_users_online',
      help: 'Users with at least one session',
      registers: [metrics],
      async collect() {
        this.set((await registry.count()).users);
      },
    });
  }
}
