import type { Config } from '@starling/config';
import { TokenBucket } from './token-bucket.js';

/** Other traffic (pings, acknowledgements, fragments of Socket.IO's own) a connection may send beside packets. */
const WIRE_SHARE = 4;

/** How many bursts may be refused before it is a flood: a client needs time to hear of refusals. */
const REFUSED_BURSTS = 4;

/** What one connection may still send. */
export class PacketLimits {
  private readonly packets: TokenBucket;
  private readonly refusals: TokenBucket;
  private readonly wire: TokenBucket;
  private brokenLeft: number;

  constructor(config: Config, now?: () => number) {
    const { PACKETS_PER_SECOND: rate, PACKETS_BURST: burst } = config;
    this.packets = new TokenBucket(rate, burst, now);
    this.refusals = new TokenBucket(rate, burst * REFUSED_BURSTS, now);
    this.wire = new TokenBucket(rate * WIRE_SHARE, burst * WIRE_SHARE, now);
    this.brokenLeft = config.MAX_BROKEN_FRAMES;
  }

  /**
   * `refuse`: above the limit. `flood`: so many were refused, by more than the limit's rate, that the client does not
   * listen to refusals.
   */
  packet(): 'pass' | 'refuse' | 'flood' {
    if (this.packets.take()) return 'pass';
    return this.refusals.take() ? 'refuse' : 'flood';
  }

  /** For everything that reaches the process, packet or not; false: far more than any client has to send. */
  message(): boolean {
    return this.wire.take();
  }

  /** Counts a broken frame; false when it was one too many. */
  broken(): boolean {
    this.brokenLeft -= 1;
    return this.brokenLeft > 0;
  }
}
