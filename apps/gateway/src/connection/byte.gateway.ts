import type { IncomingMessage } from 'node:http';
import type { OnModuleDestroy, OnModuleInit } from '@nestjs/common';
import { WebSocketGateway, type OnGatewayConnection, type OnGatewayDisconnect } from '@nestjs/websockets';
import type { WebSocket } from 'ws';
import { tokenOfUpgrade } from '../authentication/token-source.js';
import { ByteConnection } from './byte-connection.js';
import { ConnectionServices } from './connection-services.js';
import { HandshakeGuard } from './handshake-guard.js';
import { platformOfUpgrade } from './platform-source.js';
import { BYTE_ENDPOINT } from './starling-ws-adapter.js';

/** Close codes of a client that leaves by itself: it closed, its page did, or it closed without saying why (`close()`). */
const GOODBYES: readonly unknown[] = [1000, 1001, 1005];

/** The raw WebSocket endpoint. */
@WebSocketGateway({ path: BYTE_ENDPOINT })
export class ByteGateway
  implements OnGatewayConnection<WebSocket>, OnGatewayDisconnect<WebSocket>, OnModuleInit, OnModuleDestroy
{
  private readonly connections = new Map<WebSocket, ByteConnection>();
  private silenceTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly services: ConnectionServices,
    private readonly guard: HandshakeGuard,
  ) {}

  onModuleInit(): void {
    this.silenceTimer = setInterval(() => this.checkSilence(), this.services.config.SILENCE_TIMEOUT_MS / 6);
  }

  onModuleDestroy(): void {
    clearInterval(this.silenceTimer);
  }

  handleConnection(webSocket: WebSocket, request: IncomingMessage): void {
    webSocket.once('close', this.guard.count(request, 'bytes'));
    const handshake = { token: tokenOfUpgrade(request), platform: platformOfUpgrade(request) };
    const { address } = this.guard.addressOf(request);
    this.connections.set(webSocket, new ByteConnection(this.services, webSocket, handshake, address));
  }

  handleDisconnect(webSocket: WebSocket, code?: unknown): void {
    this.connections.get(webSocket)?.ended(GOODBYES.includes(code));
    this.connections.delete(webSocket);
  }

  private checkSilence(): void {
    const now = performance.now();
    for (const connection of this.connections.values()) {
      if (connection.isOpen) connection.checkSilence(now);
    }
  }
}
