import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { GroupRole, JoinPolicy, Membership, MembershipChange, MembershipEvent } from '@starling/bus';
import { Refusal } from '@starling/protocol';
import { GroupTurns } from './group-turns.js';
import * as rules from './membership-rules.js';
import { OutboxPublisher } from './outbox/outbox-publisher.js';
import { GROUP_REPOSITORY, type Group, type GroupRepository } from './repository/group-repository.js';

/** Commits that another process may void before a change is refused; each loser waits a little longer. */
const MAX_ATTEMPTS = 50;
const MAX_PAUSE_MS = 50;

type Rule = (group: Group | null, successor: string | null) => rules.Step[];

interface Change {
  readonly groupId: string;
  /** Users whose places the rule asks for. */
  readonly users: readonly string[];
  /** The user who may leave: if they are the owner, the rule is told the successor. */
  readonly leaving?: string;
  /** Of a group that the change creates; open unless given. */
  readonly policy?: JoinPolicy;
  readonly rule: Rule;
}

interface Outcome {
  readonly version: number;
  /** As of the version; before the change when nothing had to change. */
  readonly group: Group | null;
  readonly events: readonly MembershipEvent[];
}

/** Changes of groups: each is decided on one version, committed only on that version, and answered once published. */
@Injectable()
export class GroupsService {
  private readonly turns = new GroupTurns();

  constructor(
    @Inject(GROUP_REPOSITORY) private readonly repository: GroupRepository,
    private readonly outbox: OutboxPublisher,
  ) {}

  join(groupId: string, userId: string, createIfMissing: boolean): Promise<MembershipChange> {
    return this.changeOf(userId, {
      groupId,
      users: [userId],
      rule: (group) => rules.join(group, userId, createIfMissing),
    });
  }

  quit(groupId: string, userId: string): Promise<MembershipChange> {
    return this.changeOf(userId, {
      groupId,
      users: [userId],
      leaving: userId,
      rule: (group, successor) => rules.quit(group, userId, successor),
    });
  }

  create(groupId: string, ownerId: string, policy: JoinPolicy): Promise<MembershipChange> {
    return this.changeOf(ownerId, {
      groupId,
      users: [ownerId],
      policy,
      rule: (group) => rules.create(group, ownerId),
    });
  }

  add(groupId: string, userId: string, by: string | null): Promise<MembershipChange> {
    return this.changeOf(userId, {
      groupId,
      users: usersOf(userId, by),
      rule: (group) => rules.add(group, userId, by),
    });
  }

  remove(groupId: string, userId: string, by: string | null): Promise<MembershipChange> {
    return this.changeOf(userId, {
      groupId,
      users: usersOf(userId, by),
      leaving: userId,
      rule: (group, successor) => rules.remove(group, userId, by, successor),
    });
  }

  setRole(
    groupId: string,
    userId: string,
    role: 'admin' | 'member',
    by: string | null,
  ): Promise<MembershipChange> {
    return this.changeOf(userId, {
      groupId,
      users: usersOf(userId, by),
      rule: (group) => rules.setRole(group, userId, role, by),
    });
  }

  async dissolve(groupId: string, by: string | null): Promise<{ groupId: string; version: number }> {
    const { version } = await this.change({
      groupId,
      users: by === null ? [] : [by],
      rule: (group) => rules.dissolve(group, by),
    });
    return { groupId, version };
  }

  ofUser(userId: string): Promise<Membership[]> {
    return this.repository.ofUser(userId);
  }

  membership(groupId: string, userId: string): Promise<Membership> {
    return this.repository.membership(groupId, userId);
  }

  private async changeOf(userId: string, change: Change): Promise<MembershipChange> {
    const { version, group, events } = await this.change(change);
    const own = events.find((event) => event.userId === userId);
    const role: GroupRole | null = own ? own.role : group && rules.roleOf(group, userId);
    return { groupId: change.groupId, version, role, changed: own !== undefined };
  }

  private async change(change: Change): Promise<Outcome> {
    // Most joins come from members and change nothing: they are answered from one read, without a turn.
    const first = await this.decide(change);
    if (first.events.length === 0) {
      await this.outbox.settled(change.groupId, first.version);
      return first;
    }
    const outcome = await this.turns.inTurn(change.groupId, () => this.commit(change));
    await this.outbox.publish(change.groupId, outcome.version);
    return outcome;
  }

  private async commit(change: Change): Promise<Outcome> {
    const { groupId, policy = 'open' } = change;
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const outcome = await this.decide(change);
      const { group, events } = outcome;
      if (events.length === 0) return outcome;
      if (await this.repository.commit({ groupId, from: group?.version ?? 0, policy, events }))
        return outcome;
      await pause(Math.random() * Math.min(attempt * 2, MAX_PAUSE_MS));
    }
    throw new Refusal('UNAVAILABLE');
  }

  private async decide({ groupId, users, leaving, rule }: Change): Promise<Outcome> {
    const group = await this.repository.read(groupId, users);
    const ownerLeaves = group !== null && leaving !== undefined && rules.roleOf(group, leaving) === 'owner';
    const steps = rule(group, ownerLeaves ? await this.repository.successor(groupId) : null);
    const from = group?.version ?? 0;
    const events = steps.map((step, index) => ({ groupId, version: from + 1 + index, ...step }));
    return { version: from + events.length, group, events };
  }
}

function usersOf(userId: string, by: string | null): string[] {
  return by === null || by === userId ? [userId] : [userId, by];
}
