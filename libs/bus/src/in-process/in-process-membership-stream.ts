import { Inject, Injectable } from '@nestjs/common';
import { LOGGER } from '@starling/observability';
import type { Logger } from 'pino';
import type { MembershipEvent } from '../membership/membership-event.js';
import type {
  MembershipFollower,
  MembershipPublisher,
  MembershipSubscription,
} from '../membership/membership-stream.js';

/** Groups whose newest version is remembered; a group evicted from here could have an event delivered twice. */
const GROUPS_REMEMBERED = 10_000;

/**
 * The membership stream of one process: followers have seen an event when its publish resolves. Nothing can be
 * lost between the two, so `onGap` is never called.
 */
@Injectable()
export class InProcessMembershipStream implements MembershipPublisher, MembershipFollower {
  private readonly followers = new Set<(event: MembershipEvent) => void>();
  /** By group, least recently published first. */
  private readonly newestVersions = new Map<string, number>();

  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  async publish(event: MembershipEvent): Promise<void> {
    const newest = this.newestVersions.get(event.groupId) ?? 0;
    if (event.version <= newest) return;
    this.remember(event);
    for (const onEvent of [...this.followers]) {
      if (!this.followers.has(onEvent)) continue;
      try {
        onEvent(event);
      } catch (error) {
        this.logger.error(
          { err: error, groupId: event.groupId, version: event.version },
          'a follower of memberships failed on an event',
        );
      }
    }
  }

  async follow(
    onEvent: (event: MembershipEvent) => void,
    _onGap: () => void,
  ): Promise<MembershipSubscription> {
    const follower = (event: MembershipEvent): void => onEvent(event);
    this.followers.add(follower);
    return {
      stop: async () => {
        this.followers.delete(follower);
      },
    };
  }

  private remember(event: MembershipEvent): void {
    this.newestVersions.delete(event.groupId);
    this.newestVersions.set(event.groupId, event.version);
    if (this.newestVersions.size <= GROUPS_REMEMBERED) return;
    for (const groupId of this.newestVersions.keys()) {
      this.newestVersions.delete(groupId);
      break;
    }
  }
}
