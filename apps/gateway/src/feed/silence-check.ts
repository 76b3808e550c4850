import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import {
  MessageStoreRequest,
  REQUEST_CLIENT,
  type Positions,
  type RequestClient,
  type TouchedConversation,
} from '@starling/bus';
import { CONFIG, type Config } from '@starling/config';
import { LOGGER, OutageLog } from '@starling/observability';
import type { Logger } from 'pino';
import { pause } from './ask-again.js';
import { Coalesced } from './coalesced.js';
import { Feed } from './feed.js';

/** Time for a broadcast that is still on its way. */
const GRACE_MS = 250;

const PAGE = 1000;

/**
 * Finds messages of which no broadcast told: a gap is noticed by the next message, the loss of the last one by
 * nothing but asking the store.
 */
@Injectable()
export class SilenceCheck implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | null = null;
  private readonly checks: Coalesced<void>;

  constructor(
    private readonly feed: Feed,
    @Inject(REQUEST_CLIENT) private readonly requests: RequestClient,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) logger: Logger,
  ) {
    const outage = new OutageLog(
      logger,
      'the store cannot be asked for lost broadcasts; asking again',
      'the store is asked for lost broadcasts again',
    );
    this.checks = new Coalesced(() =>
      this.checkOnce().then(
        () => outage.worked(),
        (error: unknown) => outage.failed(error),
      ),
    );
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.check(), this.config.FEED_CHECK_MS).unref();
  }

  onApplicationShutdown(): void {
    if (this.timer !== null) clearInterval(this.timer);
  }

  /** Resolves after a check that began after this call, failed or not. */
  check(): Promise<void> {
    return this.checks.ask();
  }

  private async checkOnce(): Promise<void> {
    const after = this.feed.checked.begin();
    if (after === null) return;
    const { round } = this.feed.checked;
    const { behind, reached } = await this.touchedAfter(after);
    if (behind.length > 0) await pause(GRACE_MS);
    for (const touched of behind) this.feed.catchUp(touched);
    if (!this.feed.hasListeners) return;
    if (this.feed.settle(after, reached, round)) this.feed.checked.finish(reached);
  }

  private async touchedAfter(
    after: Positions,
  ): Promise<{ behind: TouchedConversation[]; reached: Positions }> {
    const behind: TouchedConversation[] = [];
    for (let reached = after; ;) {
      const reply = await this.requests.request(MessageStoreRequest.touched, {
        after: reached,
        userId: null,
        groupIds: [],
        limit: PAGE,
      });
      reached = reply.reached;
      behind.push(...reply.conversations.filter((touched) => this.feed.isBehind(touched)));
      if (!reply.more) return { behind, reached };
    }
  }
}
