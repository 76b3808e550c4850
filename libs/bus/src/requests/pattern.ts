/**
 * A Nest message pattern with the types of its request and reply. Payloads are JSON: they cross processes in
 * the cluster profile, so no Dates, no undefined in arrays, no class instances.
 */
export interface RequestPattern<Request, Reply> {
  readonly name: string;
  readonly __request?: Request;
  readonly __reply?: Reply;
}

export function requestPattern<Request, Reply>(name: string): RequestPattern<Request, Reply> {
  return { name };
}
