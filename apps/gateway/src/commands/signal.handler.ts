import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@starling/config';
import { ChatType, Command, Refusal, type SignalRequest } from '@starling/protocol';
import {
  groupRoom,
  ROOM_EMITTER,
  userRoom,
  type PacketEvent,
  type RoomEmitter,
  type RoomName,
} from '@starling/rooms';
import { packetText } from '../connection/packet-text.js';
import type { ReceivedPacket } from '../connection/received-packet.js';
import type { Session } from '../connection/session.js';
import { GatewayMembership } from '../membership/gateway-membership.js';
import type { CommandHandler } from './command-handler.js';
import { succeeded } from './packet-mapper.js';

/** "There is news in this conversation"; what other codes say concerns nobody else. */
const NEWS = 1;

interface Relay {
  readonly room: RoomName;
  /** The conversation's id as those in the room know it. */
  readonly eventValue: string;
  /** In a group. */
  readonly of?: PacketEvent['of'];
}

/** Passes news of a conversation on to the other connections of those in it. */
@Injectable()
export class SignalHandler implements CommandHandler<SignalRequest> {
  readonly command = Command.Signal;
  readonly lane = 'submit';

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(ROOM_EMITTER) private readonly rooms: RoomEmitter,
    private readonly membership: GatewayMembership,
  ) {}

  handle(received: ReceivedPacket, packet: SignalRequest, session: Session): undefined {
    const { code, eventValue, eventObj } = packet;
    if (code === NEWS && eventValue !== null && eventValue !== undefined) {
      for (const relay of this.relaysOf(session.userId, eventValue, eventObj)) {
        this.rooms.emit(relay.room, {
          kind: 'packet',
          packet: packetText(Command.SignalPush, { code, eventValue: relay.eventValue, eventObj }),
          except: received.connection.id,
          to: 'all',
          of: relay.of,
        });
      }
    }
    // webim.js has one listener for -10, which refreshes the conversation: it must not hear its own signals.
    if (received.acknowledged) received.answer(succeeded(Command.SignalPush, { code, eventValue, eventObj }));
  }

  private relaysOf(userId: string, chatId: unknown, chatType: unknown): Relay[] {
    if (!this.isId(chatId)) throw new Refusal('INVALID_FIELD', 'eventValue: must be the id of a chat');
    if (chatType === ChatType.Private) {
      const mine = { room: userRoom(userId), eventValue: chatId };
      return chatId === userId ? [mine] : [mine, { room: userRoom(chatId), eventValue: userId }];
    }
    if (chatType !== ChatType.Group) {
      throw new Refusal('INVALID_FIELD', 'eventObj: must be 0 (private) or 1 (group)');
    }
    if (!this.membership.isMember(userId, chatId)) throw new Refusal('NOT_A_MEMBER');
    const membershipVersion = this.membership.versionOf(userId, chatId);
    return [{ room: groupRoom(chatId), eventValue: chatId, of: { groupId: chatId, membershipVersion } }];
  }

  private isId(value: unknown): value is string {
    return (
      typeof value === 'string' &&
      value !== '' &&
      value.length <= this.config.MAX_ID_LENGTH &&
      value.isWellFormed()
    );
  }
}
