import type { NatsConnection } from '@nats-io/transport-node';

/** For what was written before to be taken. */
const FAREWELL_MS = 1000;

/** Of the client library, where it is private. */
interface WithTransport {
  readonly protocol: { readonly transport: { close(): Promise<void> } };
}

/**
 * Has the connection redial when its server is silent. The client library notices the silence too, but then waits
 * until all that it wrote is taken: by a server that takes nothing, and has not closed, that is until TCP gives up.
 */
export function leaveSilentServers(nats: NatsConnection): NatsConnection {
  void follow(nats);
  return nats;
}

async function follow(nats: NatsConnection): Promise<void> {
  for await (const { type } of nats.status()) {
    if (type !== 'staleConnection') continue;
    const { transport } = (nats as unknown as WithTransport).protocol;
    // Without an effect on one that is closed by then; a redial has made another one.
    setTimeout(() => void transport.close(), FAREWELL_MS).unref();
  }
}
