import type { RequestPattern } from './pattern.js';

/**
 * Asks another service and waits for its reply. Rejects with a `Refusal` only: the service's own, or
 * `UNAVAILABLE` when nobody answered within the timeout.
 */
export interface RequestClient {
  request<Request, Reply>(pattern: RequestPattern<Request, Reply>, payload: Request): Promise<Reply>;
}

export const REQUEST_CLIENT = Symbol('RequestClient');
