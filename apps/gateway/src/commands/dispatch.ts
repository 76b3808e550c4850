import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@starling/config';
import { LOGGER } from '@starling/observability';
import {
  Command,
  packetSchemas,
  parseRequest,
  Refusal,
  refusalAnswer,
  type ErrorName,
  type PacketSchemas,
} from '@starling/protocol';
import type { Logger } from 'pino';
import type { ClientConnection } from '../connection/client-connection.js';
import { GatewayMetrics } from '../connection/gateway-metrics.js';
import type { Lane, PacketReceiver } from '../connection/packet-receiver.js';
import type { ReceivedPacket } from '../connection/received-packet.js';
import { BindHandler } from './bind.handler.js';
import type { CommandHandler, Handled, OpenCommandHandler } from './command-handler.js';
import { HeartbeatHandler } from './heartbeat.handler.js';
import { HistoryHandler } from './history.handler.js';
import { JoinGroupHandler } from './join-group.handler.js';
import { QuitGroupHandler } from './quit-group.handler.js';
import { ReadHandler } from './read.handler.js';
import { SendMessageHandler } from './send-message.handler.js';
import { Sessions } from './sessions.js';
import { SignalHandler } from './signal.handler.js';
import { SyncHandler } from './sync.handler.js';
import { UnbindHandler } from './unbind.handler.js';

interface Entry {
  /** For the metric. */
  readonly name: string;
  /** Of packets that were answered as they ought to be, which is most of them. */
  readonly ok: { inc(): void };
  readonly lane: Lane;
  readonly handle: (received: ReceivedPacket) => Handled | Promise<Handled>;
}

/** The one table from command numbers to handlers, and what all of them share: login, schemas, refusals, metrics. */
@Injectable()
export class Dispatch implements PacketReceiver {
  private readonly table = new Map<number, Entry>();
  private readonly schemas: PacketSchemas;

  constructor(
    @Inject(CONFIG) config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly metrics: GatewayMetrics,
    private readonly sessions: Sessions,
    bind: BindHandler,
    heartbeat: HeartbeatHandler,
    sendMessage: SendMessageHandler,
    unbind: UnbindHandler,
    joinGroup: JoinGroupHandler,
    quitGroup: QuitGroupHandler,
    signal: SignalHandler,
    history: HistoryHandler,
    sync: SyncHandler,
    read: ReadHandler,
  ) {
    this.schemas = packetSchemas({ maxIdLength: config.MAX_ID_LENGTH });
    this.alwaysTo(bind);
    this.alwaysTo(heartbeat);
    this.afterLoginTo(sendMessage);
    this.afterLoginTo(unbind);
    this.afterLoginTo(joinGroup);
    this.afterLoginTo(quitGroup);
    this.afterLoginTo(signal);
    this.afterLoginTo(history);
    this.afterLoginTo(sync);
    this.afterLoginTo(read);
  }

  laneOf(command: number): Lane {
    return this.table.get(command)?.lane ?? 'submit';
  }

  receive(received: ReceivedPacket): Promise<void> | void {
    const entry = this.table.get(received.command);
    try {
      const handled = entry === undefined ? this.refuseUnknown(received) : entry.handle(received);
      if (handled instanceof Promise) return this.finish(received, handled);
      this.count(received, handled ?? 'ok');
    } catch (error) {
      this.refuseWith(received, error);
    }
  }

  refuse(received: ReceivedPacket, refusal: Refusal): void {
    this.refuseWith(received, refusal);
  }

  ended(connection: ClientConnection, clean: boolean): Promise<void> {
    return this.sessions.ended(connection, clean);
  }

  private alwaysTo<Packet>(handler: OpenCommandHandler<Packet>): void {
    this.enter(handler, (received) =>
      handler.handle(received, this.parse<Packet>(received), received.connection.session),
    );
  }

  private afterLoginTo<Packet>(handler: CommandHandler<Packet>): void {
    this.enter(handler, (received) => {
      const packet = this.parse<Packet>(received);
      const { session } = received.connection;
      if (session === null) throw new Refusal('NOT_LOGGED_IN');
      return handler.handle(received, packet, session);
    });
  }

  private enter({ command, lane }: { command: number; lane: Lane }, handle: Entry['handle']): void {
    const [name] = Object.entries(Command).find(([, number]) => number === command)!;
    this.table.set(command, { name, ok: this.metrics.packets.labels(name, 'ok'), lane, handle });
  }

  private parse<Packet>({ packet }: ReceivedPacket): Packet {
    return parseRequest(packet, this.schemas) as Packet;
  }

  /** The schemas know what is wrong with it: version or command. */
  private refuseUnknown(received: ReceivedPacket): never {
    this.parse(received);
    throw new Refusal('UNKNOWN_COMMAND');
  }

  private async finish(received: ReceivedPacket, handled: Promise<Handled>): Promise<void> {
    try {
      this.count(received, (await handled) ?? 'ok');
    } catch (error) {
      this.refuseWith(received, error);
    }
  }

  private refuseWith(received: ReceivedPacket, error: unknown): void {
    const { connection, command, packet } = received;
    const refusal = error instanceof Refusal ? error : this.unexpected(received, error);
    this.count(received, refusal.error);
    // webim.js takes every -10 as news of a conversation, so a refused signal is told only to who waits for it.
    if (command === Command.Signal && !received.acknowledged) return;
    received.answer(refusalAnswer(refusal, packet, connection.session?.userId ?? null));
  }

  private unexpected({ connection, command }: ReceivedPacket, error: unknown): Refusal {
    this.logger.error({ err: error, connection: connection.id, command }, 'a handler failed');
    return new Refusal('INTERNAL');
  }

  private count({ command }: ReceivedPacket, result: ErrorName | 'ok'): void {
    const entry = this.table.get(command);
    if (entry !== undefined && result === 'ok') entry.ok.inc();
    else this.metrics.packets.inc({ command: entry?.name ?? 'unknown', result });
  }
}
