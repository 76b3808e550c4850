import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type {
  GroupRole,
  JoinPolicy,
  MembersAmong,
  MembershipOfUser,
  MembershipChange,
  MembershipEvent,
} from '@starling/bus';
import { Refusal } from '@starling/protocol';
import { groupAfter } from './group-after.js';
import { GroupTurns, type Turn } from './group-turns.js';
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
  /** Whether it needs a commit of its own: what may ask for a successor, and what ends the group. */
  readonly alone: boolean;
  /** The user who may leave: if they are the owner, the rule is told the successor. */
  readonly leaving?: string;
  /** Of a group that the change creates; open unless given. */
  readonly policy?: JoinPolicy;
  readonly rule: Rule;
}

/** With the group as it was read when the change was asked for. */
type DecidedChange = Change & { readonly asRead: Group | null };

interface Outcome {
  readonly version: number;
  /** As of the version; before the change when nothing had to change. */
  readonly group: Group | null;
  readonly events: readonly MembershipEvent[];
}

/** Changes of groups: each is decided on one version, committed only on that version, and answered once published. */
@Injectable()
export class GroupsService {
  private readonly turns = new GroupTurns<DecidedChange, Outcome>((together) => this.settle(together));

  constructor(
    @Inject(GROUP_REPOSITORY) private readonly repository: GroupRepository,
    private readonly outbox: OutboxPublisher,
  ) {}

  join(groupId: string, userId: string, createIfMissing: boolean): Promise<MembershipChange> {
    return this.changeOf(userId, {
      groupId,
      users: [userId],
      alone: false,
      rule: (group) => rules.join(group, userId, createIfMissing),
    });
  }

  quit(groupId: string, userId: string): Promise<MembershipChange> {
    return this.changeOf(userId, {
      groupId,
      users: [userId],
      alone: true,
      leaving: userId,
      rule: (group, successor) => rules.quit(group, userId, successor),
    });
  }

  create(groupId: string, ownerId: string, policy: JoinPolicy): Promise<MembershipChange> {
    return this.changeOf(ownerId, {
      groupId,
      users: [ownerId],
      alone: false,
      policy,
      rule: (group) => rules.create(group, ownerId),
    });
  }

  add(groupId: string, userId: string, by: string | null): Promise<MembershipChange> {
    return this.changeOf(userId, {
      groupId,
      users: usersOf(userId, by),
      alone: false,
      rule: (group) => rules.add(group, userId, by),
    });
  }

  remove(groupId: string, userId: string, by: string | null): Promise<MembershipChange> {
    return this.changeOf(userId, {
      groupId,
      users: usersOf(userId, by),
      alone: true,
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
      alone: false,
      rule: (group) => rules.setRole(group, userId, role, by),
    });
  }

  async dissolve(groupId: string, by: string | null): Promise<{ groupId: string; version: number }> {
    const { version } = await this.change({
      groupId,
      users: by === null ? [] : [by],
      alone: true,
      rule: (group) => rules.dissolve(group, by),
    });
    return { groupId, version };
  }

  ofUser(userId: string): Promise<MembershipOfUser[]> {
    return this.repository.ofUser(userId);
  }

  async membersAmong(groupId: string, userIds: readonly string[]): Promise<MembersAmong> {
    const group = await this.repository.read(groupId, userIds);
    const members = userIds.filter((userId) => group && rules.roleOf(group, userId) !== null);
    return { groupId, version: group?.version ?? 0, members };
  }

  private async changeOf(userId: string, change: Change): Promise<MembershipChange> {
    const { version, group, events } = await this.change(change);
    const own = events.find((event) => event.userId === userId);
    const role: GroupRole | null = own ? own.role : group && rules.roleOf(group, userId);
    return { groupId: change.groupId, version, role, changed: own !== undefined };
  }

  private async change(change: Change): Promise<Outcome> {
    // Most joins come from members and change nothing: they are answered from one read, without a turn.
    const asRead = await this.repository.read(change.groupId, change.users);
    const first = decide(change, asRead, await this.successor(change, asRead));
    if (first.events.length === 0) {
      await this.outbox.settled(change.groupId, first.version);
      return first;
    }
    const outcome = await this.turns.inTurn({ ...change, asRead });
    await this.outbox.publish(change.groupId, outcome.version);
    return outcome;
  }

  private async settle(together: readonly Turn<DecidedChange, Outcome>[]): Promise<void> {
    try {
      await this.commit(together);
    } catch (error) {
      for (const turn of together) turn.reject(error);
    }
  }

  /** One commit for all of them, decided one after the other; a refused one leaves the others alone. */
  private async commit(together: readonly Turn<DecidedChange, Outcome>[]): Promise<void> {
    const { waited, change: first } = together[0]!;
    const { groupId } = first;
    const users = [...new Set(together.flatMap(({ change }) => change.users))];
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      // Where nobody was before it, what was read is most likely still true; the commit knows.
      const isAsRead = attempt === 1 && !waited;
      const before = isAsRead ? first.asRead : await this.repository.read(groupId, users);
      const { policy, events, settlements } = await this.decideAll(together, before);
      const isDone =
        events.length === 0 ||
        (await this.repository.commit({ groupId, from: before?.version ?? 0, policy, events }));
      if (isDone) {
        for (const settlement of settlements) settlement();
        return;
      }
      await pause(Math.random() * Math.min(attempt * 2, MAX_PAUSE_MS));
    }
    throw new Refusal('UNAVAILABLE');
  }

  private async decideAll(together: readonly Turn<DecidedChange, Outcome>[], before: Group | null) {
    const events: MembershipEvent[] = [];
    let policy: JoinPolicy = 'open';
    let group = before;
    const settlements: (() => void)[] = [];
    for (const { change, resolve, reject } of together) {
      try {
        const outcome = decide(change, group, await this.successor(change, group));
        if (group === null && outcome.events.length > 0) policy = change.policy ?? 'open';
        group = groupAfter(group, outcome.events, policy);
        events.push(...outcome.events);
        settlements.push(() => resolve(outcome));
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        settlements.push(() => reject(error));
      }
    }
    return { policy, events, settlements };
  }

  private async successor({ groupId, leaving }: Change, group: Group | null): Promise<string | null> {
    const ownerLeaves = group !== null && leaving !== undefined && rules.roleOf(group, leaving) === 'owner';
    return ownerLeaves ? this.repository.successor(groupId) : null;
  }
}

function decide({ groupId, rule }: Change, group: Group | null, successor: string | null): Outcome {
  const from = group?.version ?? 0;
  const events = rule(group, successor).map((step, index) => ({
    groupId,
    version: from + 1 + index,
    ...step,
  }));
  return { version: from + events.length, group, events };
}

function usersOf(userId: string, by: string | null): string[] {
  return by === null || by === userId ? [userId] : [userId, by];
}
