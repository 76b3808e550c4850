import type { Socket } from 'node:net';
import { WebSocket } from 'ws';

/** The two parts of a `ws` socket that no type names; socket.io writes its precomputed frames the same way. */
interface Inside {
  readonly _socket: Socket;
  readonly _sender: { sendFrame(parts: readonly Buffer[], written?: (error?: Error | null) => void): void };
}

/**
 * Writes ready frames to one WebSocket. Everything written within one turn of the event loop leaves in one
 * system call; when more than `limit` bytes wait for the reader then, `overflow` is called.
 */
export class SocketOutlet {
  private corked = false;

  constructor(
    private readonly webSocket: WebSocket,
    private readonly limit: number,
    private readonly overflow: () => void,
  ) {}

  get waiting(): number {
    return this.webSocket.bufferedAmount;
  }

  /** `written` is called when the system has taken the bytes, or never. */
  write(wire: Buffer, written?: () => void): void {
    if (this.webSocket.readyState !== WebSocket.OPEN) return;
    const { _socket, _sender } = this.webSocket as unknown as Inside;
    if (!this.corked) {
      this.corked = true;
      _socket.cork();
      uncorkAfterTurn(this);
    }
    _sender.sendFrame([wire], written && ((error) => (error ? undefined : written())));
    // Much in one turn is no sign of a slow reader: give the system the chance to take it before judging.
    if (this.waiting > this.limit) this.uncork();
  }

  uncork(): void {
    if (!this.corked) return;
    this.corked = false;
    // Null once the connection has closed.
    const socket = (this.webSocket as unknown as { _socket: Socket | null })._socket;
    if (socket === null) return;
    socket.uncork();
    if (this.waiting > this.limit) this.overflow();
  }
}

let corked: SocketOutlet[] = [];

function uncorkAfterTurn(outlet: SocketOutlet): void {
  if (corked.push(outlet) === 1) setImmediate(uncorkAll);
}

function uncorkAll(): void {
  const outlets = corked;
  corked = [];
  for (const outlet of outlets) outlet.uncork();
}
