import { Module, type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { CONFIG, loadConfig } from '@starling/config';
import { createMetrics, ObservabilityModule } from '@starling/observability';
import { refusalAnswer, type Refusal } from '@starling/protocol';
import { LocalRoomsModule } from '@starling/rooms';
import { pino } from 'pino';
import type { Registry } from 'prom-client';
import type { AddressInfo } from 'node:net';
import type { ClientConnection } from '../../src/connection/client-connection.js';
import { ByteGateway } from '../../src/connection/byte.gateway.js';
import { ConnectionServices } from '../../src/connection/connection-services.js';
import { Connections } from '../../src/connection/connections.js';
import { Draining } from '../../src/connection/draining.js';
import { GatewayInstance } from '../../src/connection/gateway-instance.js';
import { GatewayMetrics } from '../../src/connection/gateway-metrics.js';
import { HandshakeGuard } from '../../src/connection/handshake-guard.js';
import { PACKET_RECEIVER, type Lane, type PacketReceiver } from '../../src/connection/packet-receiver.js';
import { packetText } from '../../src/connection/packet-text.js';
import type { ReceivedPacket } from '../../src/connection/received-packet.js';
import { SocketIoGateway } from '../../src/connection/socket-io.gateway.js';
import { StarlingWsAdapter } from '../../src/connection/starling-ws-adapter.js';
import { WireForms } from '../../src/connection/wire-forms.js';

/**
 * What stands behind the endpoints in these tests: a login that believes everybody, and an echo. Packets with
 * `hold` are answered when the test says so.
 */
export class Echo implements PacketReceiver {
  readonly received: ReceivedPacket[] = [];
  readonly ends: { connection: ClientConnection; clean: boolean }[] = [];
  private held: (() => void)[] = [];

  laneOf(command: number): Lane {
    return command === 1 ? 'state' : 'submit';
  }

  receive(received: ReceivedPacket): Promise<void> | void {
    this.received.push(received);
    const { connection, command, packet } = received;
    if (command === 1) {
      const userId = String(packet['userId']);
      const pushes = packet['push'] === true;
      connection.session = { sessionId: connection.id, userId, device: null, since: 0, pushes, syncs: false };
      const expiresAt = packet['expiresInMs'];
      connection.loggedIn(typeof expiresAt === 'number' ? Date.now() + expiresAt : null);
    }
    const { version: _version, command: _command, ...fields } = packet;
    const answer = packetText(command + 1, { ...fields, success: true, errorMsg: '' });
    if (packet['hold'] !== true) return received.answer(answer);
    return new Promise<void>((resolve) => this.held.push(resolve)).then(() => received.answer(answer));
  }

  refuse(received: ReceivedPacket, refusal: Refusal): void {
    received.answer(refusalAnswer(refusal, received.packet, received.connection.session?.userId ?? null));
  }

  ended(connection: ClientConnection, clean: boolean): Promise<void> {
    this.ends.push({ connection, clean });
    return Promise.resolve();
  }

  get holding(): number {
    return this.held.length;
  }

  release(): void {
    for (const resolve of this.held.splice(0)) resolve();
  }
}

export interface ServedEndpoints {
  readonly app: INestApplication;
  readonly url: string;
  readonly bytesUrl: string;
  readonly port: number;
  readonly echo: Echo;
  readonly connections: Connections;
  readonly forms: WireForms;
  readonly metrics: Registry;
}

/** Both endpoints as the gateway serves them, in this process. */
export async function serveEndpoints(env: Record<string, string> = {}): Promise<ServedEndpoints> {
  const echo = new Echo();
  const metrics = createMetrics();
  @Module({
    imports: [LocalRoomsModule, ObservabilityModule.register({ logger: pino({ level: 'silent' }), metrics })],
    providers: [
      { provide: CONFIG, useValue: loadConfig(env) },
      { provide: PACKET_RECEIVER, useValue: echo },
      Connections,
      ConnectionServices,
      GatewayInstance,
      GatewayMetrics,
      HandshakeGuard,
      WireForms,
      SocketIoGateway,
      ByteGateway,
      Draining,
    ],
  })
  class EndpointsModule {}
  const testing = await Test.createTestingModule({ imports: [EndpointsModule] }).compile();
  const app = testing.createNestApplication({ logger: false });
  app.useWebSocketAdapter(new StarlingWsAdapter(app));
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  return {
    app,
    port,
    url: `http://127.0.0.1:${port}`,
    bytesUrl: `ws://127.0.0.1:${port}/ws`,
    echo,
    connections: app.get(Connections),
    forms: app.get(WireForms),
    metrics,
  };
}
