import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { MEMBERSHIP_PUBLISHER, type MembershipPublisher } from '@starling/bus';
import { LOGGER } from '@starling/observability';
import { Refusal } from '@starling/protocol';
import type { Logger } from 'pino';
import { GROUP_REPOSITORY, type GroupRepository } from '../repository/group-repository.js';

/** What failed, and what another process left when it died, is looked for this often. */
const SWEEP_MS = 1000;
const GROUPS_A_SWEEP = 1000;
const EVENTS_A_READ = 100;

interface Waiter {
  readonly version: number;
  resolve(): void;
  reject(refusal: Refusal): void;
}

interface GroupOutbox {
  waiters: Waiter[];
  /** Null between a failure and the sweep that tries again. */
  draining: Promise<void> | null;
}

/**
 * Publishes what the outbox holds, a group's events in the order of versions. A crash between commit, publish
 * and forgetting leaves rows behind; they are published (perhaps again, which has no second effect) after the
 * start, or by another process.
 */
@Injectable()
export class OutboxPublisher implements OnModuleInit, OnApplicationShutdown {
  /** Groups with something to publish, as far as this process knows. */
  private readonly groups = new Map<string, GroupOutbox>();
  private timer: NodeJS.Timeout | undefined;
  private stopping = false;

  constructor(
    @Inject(GROUP_REPOSITORY) private readonly repository: GroupRepository,
    @Inject(MEMBERSHIP_PUBLISHER) private readonly publisher: MembershipPublisher,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.sweep();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.timer);
    for (const group of this.groups.values()) await group.draining;
    for (const group of this.groups.values()) {
      for (const waiter of group.waiters) waiter.reject(new Refusal('SHUTTING_DOWN'));
    }
    this.groups.clear();
  }

  /** Resolves when the group's events up to the version, just committed, are published. */
  publish(groupId: string, version: number): Promise<void> {
    const group = this.outboxOf(groupId);
    const published = this.wait(group, version);
    this.drain(groupId, group);
    return published;
  }

  /** Resolves when nothing up to the version is left that this process knows of: at once, most of the time. */
  async settled(groupId: string, version: number): Promise<void> {
    const group = this.groups.get(groupId);
    if (group) await this.wait(group, version);
  }

  private wait(group: GroupOutbox, version: number): Promise<void> {
    if (this.stopping) return Promise.reject(new Refusal('SHUTTING_DOWN'));
    return new Promise((resolve, reject) => group.waiters.push({ version, resolve, reject }));
  }

  private outboxOf(groupId: string): GroupOutbox {
    const known = this.groups.get(groupId);
    if (known) return known;
    const group: GroupOutbox = { waiters: [], draining: null };
    this.groups.set(groupId, group);
    return group;
  }

  private async sweep(): Promise<void> {
    try {
      for (const groupId of await this.repository.groupsWithUnpublished(GROUPS_A_SWEEP))
        this.outboxOf(groupId);
    } catch (error) {
      this.logger.error({ err: error }, 'the outbox of memberships could not be read');
    }
    if (this.stopping) return;
    for (const [groupId, group] of this.groups) this.drain(groupId, group);
    this.timer = setTimeout(() => void this.sweep(), SWEEP_MS);
  }

  private drain(groupId: string, group: GroupOutbox): void {
    if (group.draining || this.stopping) return;
    group.draining = this.publishAll(groupId, group)
      .catch((error: unknown) => {
        this.logger.error({ err: error, groupId }, 'events of memberships could not be published yet');
      })
      .finally(() => {
        group.draining = null;
      });
  }

  private async publishAll(groupId: string, group: GroupOutbox): Promise<void> {
    while (!this.stopping) {
      // Only these know their commit to be before the read: to them an empty outbox means "published".
      const waiting = new Set(group.waiters);
      const events = await this.repository.unpublished(groupId, EVENTS_A_READ);
      if (events.length === 0) {
        group.waiters = group.waiters.filter((waiter) => !waiting.has(waiter));
        for (const waiter of waiting) waiter.resolve();
        if (group.waiters.length > 0) continue;
        this.groups.delete(groupId);
        return;
      }
      for (const event of events) {
        await this.publisher.publish(event);
        this.answer(group, event.version);
      }
      await this.repository.forgetPublished(groupId, events[events.length - 1]!.version);
      // What others commit meanwhile they publish themselves, and the sweep finds what they could not.
      if (events.length < EVENTS_A_READ && group.waiters.length === 0) {
        this.groups.delete(groupId);
        return;
      }
    }
  }

  private answer(group: GroupOutbox, published: number): void {
    const answered = group.waiters.filter((waiter) => waiter.version <= published);
    group.waiters = group.waiters.filter((waiter) => waiter.version > published);
    for (const waiter of answered) waiter.resolve();
  }
}
