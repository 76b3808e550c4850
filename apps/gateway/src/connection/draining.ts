import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { CONFIG, type Config } from '@starling/config';
import { LOGGER } from '@starling/observability';
import type { Logger } from 'pino';
import { Connections } from './connections.js';
import { HandshakeGuard } from './handshake-guard.js';
import type { LiveConnection } from './live-connection.js';

/** The share of DRAIN_MS in which unanswered packets may still be answered; the rest is for closing. */
const SHARE_FOR_ANSWERS = 0.75;

/**
 * A stopping gateway takes no new connections, tells its clients when to come back, answers what it took, and
 * closes them, all within DRAIN_MS. Runs while the other modules still work: they stop in later hooks.
 */
@Injectable()
export class Draining implements OnModuleDestroy {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly connections: Connections,
    private readonly guard: HandshakeGuard,
  ) {}

  async onModuleDestroy(): Promise<void> {
    this.guard.stop();
    const deadline = performance.now() + this.config.DRAIN_MS;
    const live = [...this.connections.all()] as LiveConnection[];
    for (const connection of live) {
      connection.drain(Math.round(Math.random() * this.config.RECONNECT_WINDOW_MS));
    }
    await inTime(
      Promise.all(live.map((connection) => connection.idle())),
      this.config.DRAIN_MS * SHARE_FOR_ANSWERS,
    );
    for (const connection of live) connection.close('SHUTDOWN');
    await inTime(
      Promise.all([this.connections.empty(), ...live.map((connection) => connection.gone())]),
      deadline - performance.now(),
    );
    for (const connection of live) connection.abandon();
    if (live.length > 0) this.logger.info({ connections: live.length }, 'connections closed');
  }
}

/** Resolves when `work` has, or when the time is over. */
async function inTime(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(ms, 0));
  });
  await Promise.race([work, over]);
  clearTimeout(timer);
}
