import { Inject, Injectable } from '@nestjs/common';
import type { Positions, TouchedConversation } from '@starling/bus';
import { groupConversation, Refusal } from '@starling/protocol';
import { MESSAGE_REPOSITORY, type MessageRepository } from '../repository/message-repository.js';
import { fitting, sizeOfConversation } from './page-size.js';

interface Touched {
  readonly conversations: TouchedConversation[];
  readonly more: boolean;
  readonly reached: Positions;
}

/**
 * Which conversations got messages since some positions. Partition by partition, oldest head first. A
 * conversation that is touched again while somebody pages moves to a later page, so it is never missed; but
 * what is repaired in it must count from the first page's `after`.
 */
@Injectable()
export class TouchedService {
  constructor(@Inject(MESSAGE_REPOSITORY) private readonly repository: MessageRepository) {}

  positions(): Promise<Positions> {
    return this.repository.positions();
  }

  /** Fewer than `limit` where their keys are long; at least one if there is any. */
  async touched(
    after: Positions,
    userId: string | null,
    groupIds: readonly string[],
    limit: number,
  ): Promise<Touched> {
    // Before the conversations: everything up to here is in what is read next.
    const committed = await this.repository.positions();
    if (after.length !== committed.length) {
      throw new Refusal('INVALID_FIELD', `after needs ${committed.length} positions`);
    }
    // One more than asked for tells whether there are more.
    const found =
      userId === null
        ? await this.inAll(after, committed, limit + 1)
        : await this.repository.touchedOf(userId, groupIds.map(groupConversation), after, limit + 1);
    const conversations = fitting(found.slice(0, limit), sizeOfConversation);
    const last = conversations.length < found.length ? conversations.at(-1) : undefined;
    const reached = after.map((position, partition) => {
      const done = Math.max(position, committed[partition] ?? 0);
      if (!last || partition < last.partition) return done;
      return partition === last.partition ? last.headPosition : position;
    });
    return { conversations, more: last !== undefined, reached };
  }

  /** Partitions without news cost nothing. */
  private async inAll(after: Positions, committed: Positions, limit: number): Promise<TouchedConversation[]> {
    const found: TouchedConversation[] = [];
    for (const [partition, position] of after.entries()) {
      if (found.length >= limit) break;
      if (position >= (committed[partition] ?? 0)) continue;
      found.push(...(await this.repository.touchedIn(partition, position, limit - found.length)));
    }
    return found;
  }
}
