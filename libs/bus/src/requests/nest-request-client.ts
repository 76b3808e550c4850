import type { ClientProxy } from '@nestjs/microservices';
import { ErrorCode, Refusal, type ErrorName } from '@starling/protocol';
import { firstValueFrom, timeout } from 'rxjs';
import type { BusMetrics } from '../bus-metrics.js';
import type { RequestPattern } from './pattern.js';
import type { RefusalOnBus } from './refusal-filter.js';
import type { RequestClient } from './request-client.js';

/** In one process a handler always answers unless it hangs; over NATS also its process may. */
export const REQUEST_TIMEOUT_MS = 5_000;

/** Requests over any of Nest's transports; the transport is all that differs between the profiles. */
export class NestRequestClient implements RequestClient {
  constructor(
    private readonly proxy: ClientProxy,
    private readonly metrics: BusMetrics,
    private readonly timeoutMs = REQUEST_TIMEOUT_MS,
  ) {}

  async request<Request, Reply>(pattern: RequestPattern<Request, Reply>, payload: Request): Promise<Reply> {
    this.metrics.requested(pattern.name);
    try {
      return await firstValueFrom(
        this.proxy.send<Reply, Request>(pattern.name, payload).pipe(timeout(this.timeoutMs)),
      );
    } catch (error) {
      throw refusalOf(error);
    }
  }
}

function refusalOf(error: unknown): Refusal {
  const { refusal, message } = (error ?? {}) as Partial<RefusalOnBus>;
  if (refusal !== undefined && Object.hasOwn(ErrorCode, refusal))
    return new Refusal(refusal as ErrorName, message);
  return new Refusal('UNAVAILABLE');
}
