import { Inject, Injectable } from '@nestjs/common';
import { MessageStoreRequest, REQUEST_CLIENT, type RequestClient } from '@starling/bus';
import { Command, conversationOf, type ReadRequest } from '@starling/protocol';
import { ROOM_EMITTER, userRoom, type RoomEmitter } from '@starling/rooms';
import { packetText } from '../connection/packet-text.js';
import type { ReceivedPacket } from '../connection/received-packet.js';
import type { Session } from '../connection/session.js';
import type { CommandHandler } from './command-handler.js';
import { succeeded } from './packet-mapper.js';
import { ReadableConversations } from './readable-conversations.js';

@Injectable()
export class ReadHandler implements CommandHandler<ReadRequest> {
  readonly command = Command.Read;
  readonly lane = 'read';

  constructor(
    @Inject(REQUEST_CLIENT) private readonly services: RequestClient,
    @Inject(ROOM_EMITTER) private readonly rooms: RoomEmitter,
    private readonly readable: ReadableConversations,
  ) {}

  async handle(received: ReceivedPacket, packet: ReadRequest, session: Session): Promise<undefined> {
    const { chatType, chatId } = packet;
    const { userId } = session;
    this.readable.mustBeReadable(userId, packet);
    const { seq, moved } = await this.services.request(MessageStoreRequest.read, {
      userId,
      conversation: conversationOf(userId, chatType, chatId),
      seq: packet.seq,
    });
    received.answer(succeeded(Command.ReadAnswer, { chatType, chatId, seq }));
    if (!moved) return;
    this.rooms.emit(userRoom(userId), {
      kind: 'packet',
      packet: packetText(Command.ReadPush, { chatType, chatId, seq }),
      except: received.connection.id,
      to: 'pushes',
    });
  }
}
