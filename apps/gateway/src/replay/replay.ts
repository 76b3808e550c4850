import { Injectable } from '@nestjs/common';
import type { Connection } from '../connection/connection.js';
import { Feed } from '../feed/feed.js';
import { PositionsReader } from '../feed/positions-reader.js';

@Injectable()
export class Replay {
  constructor(
    private readonly feed: Feed,
    private readonly positions: PositionsReader,
  ) {}

  /**
   * Second step of a login, after `GatewayMembership.bind`: reads from where the connection gets messages.
   * Call the result right after the login's answer was sent: what waited and what follows goes out from then
   * on. Rejects with a Refusal when the store does not answer; unbind then.
   */
  async arrive(connection: Connection): Promise<() => void> {
    const base = await this.positions.read();
    return () => this.feed.attach(connection, base);
  }

  /**
   * After logout or when the connection ended, before `GatewayMembership.unbind`. `clean`: logout or the client's
   * own close frame (1000, 1001); what was written counts as delivered then.
   */
  ended(_connection: Connection, _clean: boolean): void {}
}
