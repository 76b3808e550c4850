import {
  ClientProxy,
  Server,
  type CustomTransportStrategy,
  type ReadPacket,
  type WritePacket,
} from '@nestjs/microservices';
import { from, mergeMap } from 'rxjs';

/**
 * Nest message patterns within one process: the server side registers the handlers, the client side calls
 * them. Nothing is copied, so payloads must be treated as read-only, as they would be after a network.
 */
export class InProcessRequestServer extends Server implements CustomTransportStrategy {
  private listening = false;

  listen(callback: () => void): void {
    this.listening = true;
    callback();
  }

  close(): void {
    this.listening = false;
  }

  on(): void {
    throw new Error('the in-process transport has no events');
  }

  unwrap<T>(): T {
    throw new Error('the in-process transport wraps nothing');
  }

  /** Undefined while not listening or when no handler has the pattern: nobody answers. */
  handlerOf(pattern: string) {
    return this.listening ? this.getHandlerByPattern(pattern) : null;
  }
}

export class InProcessRequestProxy extends ClientProxy {
  constructor(private readonly server: InProcessRequestServer) {
    super();
  }

  connect(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {}

  unwrap<T>(): T {
    return this.server as T;
  }

  protected publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    const handler = this.server.handlerOf(packet.pattern as string);
    if (!handler) {
      callback({ err: new Error(`nobody answers ${packet.pattern as string}`), isDisposed: true });
      return () => undefined;
    }
    const reply = from(Promise.resolve(handler(packet.data))).pipe(
      mergeMap((result) => this.server.transformToObservable(result as unknown)),
    );
    const subscription = reply.subscribe({
      next: (response: unknown) => callback({ response, isDisposed: true }),
      error: (err: unknown) => callback({ err, isDisposed: true }),
    });
    return () => subscription.unsubscribe();
  }

  protected dispatchEvent<T>(): Promise<T> {
    return Promise.reject(new Error('the in-process transport has no events'));
  }
}
