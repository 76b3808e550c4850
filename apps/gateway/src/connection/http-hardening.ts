import type { Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Config } from '@starling/config';

/** More than any browser or proxy sends. */
const MAX_HEADERS = 100;

const BAD_REQUEST = [400, 'Bad Request'] as const;
/** By the error that Node found in a request. */
const ANSWERS: Readonly<Record<string, readonly [status: number, text: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout'],
};

/** Bounds what a client can hold open before it has become a connection, and survives what it sends instead of HTTP. */
export function hardenHttp(server: Server, config: Config): void {
  const { LOGIN_TIMEOUT_MS, SILENCE_TIMEOUT_MS } = config;
  server.maxHeadersCount = MAX_HEADERS;
  server.headersTimeout = LOGIN_TIMEOUT_MS;
  server.requestTimeout = Math.max(LOGIN_TIMEOUT_MS, SILENCE_TIMEOUT_MS);
  // Node looks for requests beyond those limits only every 30 s otherwise; it reads this when it begins to listen.
  (server as { connectionsCheckingInterval?: number }).connectionsCheckingInterval = Math.min(
    LOGIN_TIMEOUT_MS,
    5000,
  );
  // Of sockets on which nothing moves. A waiting poll is answered by a ping before that.
  server.setTimeout(Math.max(LOGIN_TIMEOUT_MS, SILENCE_TIMEOUT_MS));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
    else refuseSocket(socket, ...(ANSWERS[error.code ?? ''] ?? BAD_REQUEST));
  });
}

/** Answers an upgrade or a broken request that has no response object, and closes. */
export function refuseSocket(socket: Duplex, status: number, text: string): void {
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${text}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  );
}
