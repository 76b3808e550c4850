import type { IncomingMessage } from 'node:http';
import { Inject } from '@nestjs/common';
import {
  WebSocketGateway,
  type OnGatewayConnection,
  type OnGatewayDisconnect,
  type OnGatewayInit,
} from '@nestjs/websockets';
import { LOGGER } from '@starling/observability';
import type { Logger } from 'pino';
import type { Server, Socket } from 'socket.io';
import { tokenOfSocketIo, urlForLog } from '../authentication/token-source.js';
import { ConnectionServices } from './connection-services.js';
import { HandshakeGuard } from './handshake-guard.js';
import { PacketLimits } from './packet-limits.js';
import { SocketIoConnection } from './socket-io-connection.js';
import { SOCKET_IO_PATH } from './starling-ws-adapter.js';

interface EngineSocket {
  readonly request: IncomingMessage;
  on(event: 'packet', listener: () => void): void;
  once(event: 'close', listener: () => void): void;
  close(discard?: boolean): void;
}

interface ConnectionError {
  readonly req: IncomingMessage;
  readonly code: number;
  readonly message: string;
}

/** Engine.IO's code of a handshake that `allowRequest` refused. */
const FORBIDDEN = 4;

/** The Socket.IO endpoint. */
@WebSocketGateway({ path: SOCKET_IO_PATH })
export class SocketIoGateway
  implements OnGatewayInit<Server>, OnGatewayConnection<Socket>, OnGatewayDisconnect<Socket>
{
  private readonly connections = new Map<Socket, SocketIoConnection>();
  /** Transports without Socket.IO on them yet, each with the end of its patience. */
  private readonly unconnected = new Map<object, NodeJS.Timeout>();

  constructor(
    private readonly services: ConnectionServices,
    private readonly guard: HandshakeGuard,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  afterInit(server: Server): void {
    server.engine.on('connection', (engine: EngineSocket) => this.accepted(engine));
    server.engine.on('connection_error', ({ req, code, message }: ConnectionError) => {
      // The guard has counted what it forbade.
      if (code === FORBIDDEN) return;
      this.services.metrics.handshakesRefused.inc({ endpoint: 'socket.io', reason: message });
      this.logger.debug({ code, message, url: urlForLog(req.url) }, 'handshake refused');
    });
  }

  handleConnection(socket: Socket): void {
    this.connected(socket.conn);
    const handshake = { token: tokenOfSocketIo(socket.handshake), platform: null };
    const { address } = this.guard.addressOf(socket.request);
    this.connections.set(socket, new SocketIoConnection(this.services, socket, handshake, address));
  }

  handleDisconnect(socket: Socket, reason?: unknown): void {
    this.connections.get(socket)?.ended(reason === 'client namespace disconnect');
    this.connections.delete(socket);
    // Who leaves the namespace has no use for the transport, and no login limit would ever end it.
    socket.conn.close();
  }

  /**
   * A transport is there, with or without Socket.IO on it: counted, and what it sends limited, whatever it is
   * (packets of Socket.IO's own, namespaces that do not exist …).
   */
  private accepted(engine: EngineSocket): void {
    const limits = new PacketLimits(this.services.config);
    const uncount = this.guard.count(engine.request, 'socket.io');
    // Socket.IO's own limit closes politely, which a polling client that never polls puts off, keeping its address's place.
    const patience = setTimeout(() => engine.close(true), this.services.config.LOGIN_TIMEOUT_MS);
    this.unconnected.set(engine, patience);
    engine.once('close', () => {
      this.connected(engine);
      uncount();
    });
    engine.on('packet', () => {
      if (limits.message()) return;
      this.services.metrics.closes.inc({ reason: 'FLOOD' });
      engine.close(true);
    });
  }

  private connected(engine: object): void {
    clearTimeout(this.unconnected.get(engine));
    this.unconnected.delete(engine);
  }
}
