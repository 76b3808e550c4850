import { Module, type INestApplication } from '@nestjs/common';
import type { Config } from '@starling/config';
import { AuthenticationModule } from './authentication/authentication.module.js';
import { BindHandler } from './commands/bind.handler.js';
import { Dispatch } from './commands/dispatch.js';
import { HeartbeatHandler } from './commands/heartbeat.handler.js';
import { HistoryHandler } from './commands/history.handler.js';
import { JoinGroupHandler } from './commands/join-group.handler.js';
import { QuitGroupHandler } from './commands/quit-group.handler.js';
import { ReadHandler } from './commands/read.handler.js';
import { ReadableConversations } from './commands/readable-conversations.js';
import { SendMessageHandler } from './commands/send-message.handler.js';
import { Sessions } from './commands/sessions.js';
import { SignalHandler } from './commands/signal.handler.js';
import { SyncHandler } from './commands/sync.handler.js';
import { UnbindHandler } from './commands/unbind.handler.js';
import { ByteGateway } from './connection/byte.gateway.js';
import { ConnectionServices } from './connection/connection-services.js';
import { Connections } from './connection/connections.js';
import { Draining } from './connection/draining.js';
import { GatewayInstance } from './connection/gateway-instance.js';
import { GatewayMetrics } from './connection/gateway-metrics.js';
import { HandshakeGuard } from './connection/handshake-guard.js';
import { PACKET_RECEIVER } from './connection/packet-receiver.js';
import { SocketIoGateway } from './connection/socket-io.gateway.js';
import { StarlingWsAdapter } from './connection/starling-ws-adapter.js';
import { WireForms } from './connection/wire-forms.js';
import { FEED_PROVIDERS } from './feed/feed-providers.js';
import { GatewayMembership } from './membership/gateway-membership.js';
import { Replay } from './replay/replay.js';

@Module({
  imports: [AuthenticationModule],
  providers: [
    Connections,
    ConnectionServices,
    GatewayInstance,
    GatewayMetrics,
    HandshakeGuard,
    WireForms,
    SocketIoGateway,
    ByteGateway,
    Draining,
    Dispatch,
    { provide: PACKET_RECEIVER, useExisting: Dispatch },
    Sessions,
    ReadableConversations,
    BindHandler,
    HeartbeatHandler,
    HistoryHandler,
    JoinGroupHandler,
    QuitGroupHandler,
    ReadHandler,
    SendMessageHandler,
    SignalHandler,
    SyncHandler,
    UnbindHandler,
    ...FEED_PROVIDERS,
    GatewayMembership,
    Replay,
  ],
})
export class GatewayModule {
  /** To be called on the application before it listens: its HTTP server then carries both endpoints. */
  static serve(app: INestApplication): void {
    app.useWebSocketAdapter(new StarlingWsAdapter(app));
  }

  /** Where clients connect, for the line that says so. */
  static addresses({ HOST, WS_PATH }: Config, port: number): Record<string, string | number> {
    const host = HOST.includes(':') ? `[${HOST}]` : HOST;
    return { port, socketIo: `http://${host}:${port}`, bytes: `ws://${host}:${port}${WS_PATH}` };
  }
}
