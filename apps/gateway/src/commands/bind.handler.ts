import { Inject, Injectable } from '@nestjs/common';
import { Command, Refusal, type BindRequest } from '@starling/protocol';
import { AUTHENTICATOR, type Authenticator } from '../authentication/authenticator.js';
import type { ReceivedPacket } from '../connection/received-packet.js';
import type { Session } from '../connection/session.js';
import type { OpenCommandHandler } from './command-handler.js';
import { succeeded } from './packet-mapper.js';
import { Sessions } from './sessions.js';

@Injectable()
export class BindHandler implements OpenCommandHandler<BindRequest> {
  readonly command = Command.Bind;
  readonly lane = 'state';

  constructor(
    @Inject(AUTHENTICATOR) private readonly authenticator: Authenticator,
    private readonly sessions: Sessions,
  ) {}

  async handle(received: ReceivedPacket, packet: BindRequest, session: Session | null): Promise<undefined> {
    const { connection } = received;
    const { userId } = packet;
    if (session !== null) {
      if (session.userId !== userId) throw new Refusal('ALREADY_BOUND');
      received.answer(succeeded(Command.BindAnswer));
      return;
    }
    const { expiresAt } = await this.authenticator.authenticate(connection.handshake, userId);
    const deliver = await this.sessions.open(connection, {
      userId,
      device: packet.device ?? null,
      platform: packet.platform || connection.handshake.platform,
      pushes: packet.push === true,
    });
    connection.loggedIn(expiresAt);
    received.answer(succeeded(Command.BindAnswer));
    deliver();
  }
}
