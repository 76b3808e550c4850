import type { IncomingMessage, Server as HttpServer } from 'node:http';
import type { Duplex } from 'node:stream';
import type { INestApplicationContext } from '@nestjs/common';
import { AbstractWsAdapter } from '@nestjs/websockets';
import { CONFIG, type Config } from '@starling/config';
import { SOCKET_IO_ADAPTER } from '@starling/rooms';
import { Server as SocketIoServer, type ServerOptions } from 'socket.io';
import { WebSocket, WebSocketServer, type ServerOptions as WsOptions } from 'ws';
import { HandshakeGuard } from './handshake-guard.js';
import { hardenHttp, refuseSocket } from './http-hardening.js';

export const SOCKET_IO_PATH = '/socket.io';
/** Names the raw endpoint towards Nest; its path is WS_PATH. */
export const BYTE_ENDPOINT = 'bytes';

/** Room for what Socket.IO puts around a packet of the largest size. */
const ENVELOPE_BYTES = 1024;

/** What `ws` is given on both endpoints, beside the size of a message. */
const WS_LIMITS: WsOptions & { closeTimeout: number } = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxFragments: 128,
  maxBufferedChunks: 4096,
  // For the answer to a close frame; its types do not know this option yet.
  closeTimeout: 2000,
};

type NestServer = SocketIoServer | WebSocketServer;
type NestClient = { once(event: string, listener: (reason?: unknown) => void): void };

/** Serves Socket.IO and the raw endpoint on the application's one HTTP port. */
export class StarlingWsAdapter extends AbstractWsAdapter {
  private readonly config: Config;
  private readonly guard: HandshakeGuard;
  private readonly rooms: ServerOptions['adapter'];

  constructor(app: INestApplicationContext) {
    super(app);
    this.config = app.get<Config>(CONFIG);
    this.guard = app.get(HandshakeGuard);
    this.rooms = app.get<ServerOptions['adapter']>(SOCKET_IO_ADAPTER);
    hardenHttp(this.http, this.config);
  }

  /** Nest asks for each gateway class; `path` is that of its decorator. */
  create(_port: number, { path }: { path?: string }): NestServer {
    return path === BYTE_ENDPOINT ? this.createByteServer() : this.createSocketIo();
  }

  override bindClientDisconnect(client: NestClient, callback: (reason?: unknown) => void): void {
    client.once(client instanceof WebSocket ? 'close' : 'disconnect', callback);
  }

  /** Packets go from the socket to the commands without Nest's pipeline: see SocketIoConnection. */
  bindMessageHandlers(): void {}

  /** The HTTP server is Nest's to close; Socket.IO's own `close` would do it a second time. */
  override async close(server: NestServer): Promise<void> {
    if (server instanceof WebSocketServer) {
      server.close();
    } else {
      server.disconnectSockets(true);
      server.engine.close();
    }
    return Promise.resolve();
  }

  private get http(): HttpServer {
    return this.httpServer as HttpServer;
  }

  private createSocketIo(): SocketIoServer {
    const half = Math.ceil(this.config.SILENCE_TIMEOUT_MS / 2);
    const server = new SocketIoServer({
      path: SOCKET_IO_PATH,
      adapter: this.rooms,
      serveClient: false,
      transports: ['websocket', 'polling'],
      allowEIO3: false,
      perMessageDeflate: false,
      httpCompression: false,
      maxHttpBufferSize: this.config.MAX_PACKET_BYTES + ENVELOPE_BYTES,
      connectTimeout: this.config.LOGIN_TIMEOUT_MS,
      upgradeTimeout: this.config.LOGIN_TIMEOUT_MS,
      pingInterval: half,
      pingTimeout: half,
      // Upgrades of other paths are not Socket.IO's to end: see `upgrade`.
      destroyUpgrade: false,
      wsEngine: LimitedWebSocketServer,
      cors: {
        origin: (origin, decide) => decide(null, this.guard.allowsOrigin(origin)),
        credentials: true,
      },
      allowRequest: (request, decide) => {
        const refusal = this.guard.refusalOf(request, 'socket.io');
        decide(refusal?.text, refusal === null);
      },
    });
    server.attach(this.http);
    return server;
  }

  private createByteServer(): WebSocketServer {
    const server = new WebSocketServer({
      ...WS_LIMITS,
      // Twice the limit, so that what is somewhat too large is answered instead of cut off.
      maxPayload: this.config.MAX_PACKET_BYTES * 2,
    });
    this.http.prependListener('upgrade', (request, socket, head) =>
      this.upgrade(server, request, socket, head),
    );
    return server;
  }

  /** Comes before Socket.IO's own listener, which takes the upgrades of its path. */
  private upgrade(server: WebSocketServer, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // A reset between here and the handshake's end has no other listener, and would end the process.
    socket.on('error', () => socket.destroy());
    const [path = ''] = (request.url ?? '').split('?', 1);
    if (path === this.config.WS_PATH) {
      const refusal = this.guard.refusalOf(request, 'bytes');
      if (refusal !== null) refuseSocket(socket, refusal.status, refusal.text);
      else
        server.handleUpgrade(request, socket, head, (webSocket) =>
          server.emit('connection', webSocket, request),
        );
    } else if (!path.startsWith(`${SOCKET_IO_PATH}/`)) {
      refuseSocket(socket, 404, 'Not Found');
    }
  }
}

/** engine.io passes on only some of the limits. */
class LimitedWebSocketServer extends WebSocketServer {
  constructor(options: WsOptions) {
    super({ ...WS_LIMITS, ...options });
  }
}
