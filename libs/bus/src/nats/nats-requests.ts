import {
  ClientNats,
  Transport,
  type ClientProxy,
  type NatsOptions as NestNatsOptions,
} from '@nestjs/microservices';
import { connectionOptions, type NatsOptions } from './nats-connection.js';

/** Requests that a stopping service has begun get this long to be answered. */
const GRACE_MS = 500;

/** The client's side of requests between services: Nest's own transport. A lost connection fails what has no reply. */
export function natsRequestProxy(options: NatsOptions): ClientProxy {
  const proxy = new ClientNats({ ...connectionOptions(options), waitOnFirstConnect: true });
  // A reply that is sent meanwhile is lost: whoever waits would do so until the timeout.
  proxy.on('disconnect', () => proxy.handleClose());
  // Its events are typed more narrowly than those of its own base class.
  return proxy as unknown as ClientProxy;
}

/** For `connectMicroservice`: of all processes of a service, one answers each request. */
export function natsRequestServer(options: NatsOptions, service: string): NestNatsOptions {
  return {
    transport: Transport.NATS,
    options: {
      ...connectionOptions(options),
      waitOnFirstConnect: true,
      queue: service,
      gracefulShutdown: true,
      gracePeriod: GRACE_MS,
    },
  };
}
