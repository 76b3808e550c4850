import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';

/** This gateway process among all that ever were: what it names is unique for ever. */
@Injectable()
export class GatewayInstance {
  readonly id = randomBytes(9).toString('base64url');
  private connections = 0;
  private messages = 0;

  nextConnectionId(): string {
    return `${this.id}.c${(++this.connections).toString(36)}`;
  }

  nextMessageId(): string {
    return `${this.id}.${(++this.messages).toString(36)}`;
  }
}
