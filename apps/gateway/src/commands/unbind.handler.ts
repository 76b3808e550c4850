import { Injectable } from '@nestjs/common';
import { Command, type UnbindRequest } from '@starling/protocol';
import type { ReceivedPacket } from '../connection/received-packet.js';
import type { Session } from '../connection/session.js';
import { mustBeBoundUser } from './bound-user.js';
import type { CommandHandler } from './command-handler.js';
import { succeeded } from './packet-mapper.js';
import { Sessions } from './sessions.js';

@Injectable()
export class UnbindHandler implements CommandHandler<UnbindRequest> {
  readonly command = Command.Unbind;
  readonly lane = 'state';

  constructor(private readonly sessions: Sessions) {}

  async handle(received: ReceivedPacket, packet: UnbindRequest, session: Session): Promise<undefined> {
    mustBeBoundUser(session, packet.userId);
    await this.sessions.close(received.connection, true);
    received.connection.loggedOut();
    received.answer(succeeded(Command.UnbindAnswer));
  }
}
