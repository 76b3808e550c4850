import { ClientNats, type ClientProxy, type CustomStrategy } from '@nestjs/microservices';
import type { NatsConnection } from '@nats-io/transport-node';
import type { ReadinessChecks } from '@starling/observability';
import { REQUEST_TIMEOUT_MS } from '../requests/nest-request-client.js';
import { connectionOptions, type NatsOptions } from './nats-connection.js';
import { NatsRequestServer } from './nats-request-server.js';
import { leaveSilentServers } from './silent-server.js';

/** Requests that a stopping service has begun get this long to be answered. */
const GRACE_MS = 500;
/** Of a process: then what it finds waiting may not be wanted any more. */
const STILL_MS = REQUEST_TIMEOUT_MS - 1_000;

/** The client's side of requests between services: Nest's own transport. A lost connection fails what has no reply. */
export function natsRequestProxy(options: NatsOptions): ClientProxy {
  const proxy = new NatsRequestProxy({ ...connectionOptions(options), waitOnFirstConnect: true });
  // A reply that is sent meanwhile is lost: whoever waits would do so until the timeout.
  proxy.on('disconnect', () => proxy.handleClose());
  // Its events are typed more narrowly than those of its own base class.
  return proxy as unknown as ClientProxy;
}

/** For readiness: rejects unless what is asked now leaves for NATS, or nothing was ever asked. */
export async function checkRequestProxy(proxy: ClientProxy): Promise<void> {
  await (proxy as unknown as NatsRequestProxy).check();
}

class NatsRequestProxy extends ClientNats {
  override async createClient(): Promise<NatsConnection> {
    return leaveSilentServers((await super.createClient()) as NatsConnection);
  }

  async check(): Promise<void> {
    const nats = (await this.connectionPromise) as NatsConnection | null;
    await nats?.rtt();
  }
}

/**
 * For `connectMicroservice`: of all processes of a service, one answers each request. It has a connection of its own, so
 * readiness gets a check of its own.
 */
export function natsRequestServer(
  options: NatsOptions,
  service: string,
  readiness: ReadinessChecks,
  stillMs = STILL_MS,
): CustomStrategy {
  const strategy = new NatsRequestServer(
    {
      ...connectionOptions(options),
      waitOnFirstConnect: true,
      queue: service,
      gracefulShutdown: true,
      gracePeriod: GRACE_MS,
    },
    stillMs,
  );
  readiness.add('nats-requests', () => strategy.check());
  return { strategy };
}
