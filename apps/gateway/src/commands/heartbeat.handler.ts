import { Injectable } from '@nestjs/common';
import { Command, HEARTBEAT_ANSWER, type HeartbeatRequest } from '@starling/protocol';
import type { ReceivedPacket } from '../connection/received-packet.js';
import type { OpenCommandHandler } from './command-handler.js';

@Injectable()
export class HeartbeatHandler implements OpenCommandHandler<HeartbeatRequest> {
  readonly command = Command.Heartbeat;
  readonly lane = 'submit';

  handle(received: ReceivedPacket): undefined {
    received.answer(HEARTBEAT_ANSWER);
  }
}
