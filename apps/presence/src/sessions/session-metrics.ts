import { Inject, Injectable } from '@nestjs/common';
import { METRICS } from '@starling/observability';
import { Gauge, Registry } from 'prom-client';
import { SESSION_REGISTRY, type SessionRegistry } from './session-registry.js';

/** Counted when somebody looks, so that no change of a session pays for it. */
@Injectable()
export class SessionMetrics {
  constructor(@Inject(METRICS) metrics: Registry, @Inject(SESSION_REGISTRY) registry: SessionRegistry) {
    // Whoever looks while the registry is away looks for all the other metrics too.
    const counted = (what: (count: { sessions: number; users: number }) => number) =>
      registry.count().then(what, () => NaN);
    new Gauge({
      name: 'starling_presence_sessions',
      help: 'Sessions of logged-in connections, on all gateways',
      registers: [metrics],
      async collect() {
        this.set(await counted((count) => count.sessions));
      },
    });
    new Gauge({
      name: 'starling_presence_users_online',
      help: 'Users with at least one session',
      registers: [metrics],
      async collect() {
        this.set(await counted((count) => count.users));
      },
    });
  }
}
