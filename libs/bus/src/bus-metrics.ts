import { Counter, type Registry } from 'prom-client';

/** What a process gives to the bus, by which the cost of a message can be counted. */
export class BusMetrics {
  /** On the path of messages: `submit` and `ask` by gateways, `reply` by message-stores. */
  readonly publishes: Readonly<Record<'submit' | 'ask' | 'reply', () => void>>;
  private readonly requests: Counter<'pattern'>;

  constructor(registry: Registry) {
    const publishes = new Counter({
      name: 'starling_bus_publishes_total',
      help: 'Publishes on the path of messages: submits, asks whether a partition has a worker, replies.',
      labelNames: ['what'],
      registers: [registry],
    });
    const counted = (what: string) => {
      const counter = publishes.labels(what);
      return () => counter.inc();
    };
    this.publishes = { submit: counted('submit'), ask: counted('ask'), reply: counted('reply') };
    this.requests = new Counter({
      name: 'starling_bus_requests_total',
      help: 'Requests to other services; none of them stands on the path of a message.',
      labelNames: ['pattern'],
      registers: [registry],
    });
  }

  requested(pattern: string): void {
    this.requests.inc({ pattern });
  }
}
