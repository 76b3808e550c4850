import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import {
  GroupsRequest,
  MEMBERSHIP_FOLLOWER,
  partitionOf,
  REQUEST_CLIENT,
  type GroupRole,
  type MembershipChange,
  type MembershipEvent,
  type MembershipFollower,
  type MembershipOfUser,
  type MembershipSubscription,
  type Positions,
  type RequestClient,
  type StoredMessage,
} from '@starling/bus';
import { CONFIG, type Config } from '@starling/config';
import { LOGGER } from '@starling/observability';
import {
  ChatType,
  Command,
  groupConversation,
  PROTOCOL_VERSION,
  Refusal,
  type MembershipPush,
} from '@starling/protocol';
import { groupRoom, ROOM_MEMBERS, userRoom, type RoomMembers, type RoomName } from '@starling/rooms';
import type { Logger } from 'pino';
import type { Connection } from '../connection/connection.js';
import { askAgain } from '../feed/ask-again.js';
import { Feed } from '../feed/feed.js';
import { PositionsReader } from '../feed/positions-reader.js';
import { ChangeChain } from './change-chain.js';
import { KnownVersions } from '../feed/known-versions.js';
import { Turnstile } from '../feed/turnstile.js';
import { LocalGroup } from './local-group.js';
import { LocalUser, type Place } from './local-user.js';
import { saidSince } from './said-since.js';

/** What is known of a user's place in a group, and by which change. */
interface Standing {
  readonly version: number;
  readonly role: GroupRole | null;
  readonly change: MembershipEvent['change'];
  readonly by: string | null;
  /** The version with which the user became a member; null when that is not said. */
  readonly memberSince: number | null;
  /** The version of the group as of which this is known. */
  readonly followed: number;
}

/** Users loaded at the same time when changes were missed. */
const RELOADS_AT_ONCE = 32;

/**
 * The memberships of the users who are connected here, by which rooms are joined and left: from the groups service
 * and its changes alone, never from what a packet claims.
 *
 * Each change and each snapshot gives a user's place as of a version, so of two the higher one holds, whichever
 * came first. Changes of a group come by 1; a hole means that changes were lost, and then nothing of the group is
 * delivered or accepted until its local members have been loaded again.
 */
@Injectable()
export class GatewayMembership implements OnModuleInit, OnApplicationShutdown {
  private readonly users = new Map<string, LocalUser>();
  private readonly groups = new Map<string, LocalGroup>();
  private readonly bound = new Map<string, LocalUser>();
  private readonly changes = new ChangeChain();
  private readonly reloads = new Turnstile(RELOADS_AT_ONCE);
  /** How often changes were missed: a snapshot asked for before the last time proves nothing. */
  private misses = 0;
  private subscription: MembershipSubscription | null = null;

  constructor(
    @Inject(MEMBERSHIP_FOLLOWER) private readonly follower: MembershipFollower,
    @Inject(REQUEST_CLIENT) private readonly requests: RequestClient,
    @Inject(ROOM_MEMBERS) private readonly rooms: RoomMembers,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly versions: KnownVersions,
    private readonly feed: Feed,
    private readonly positions: PositionsReader,
  ) {
    versions.onLag((groupId) => this.reloadGroup(groupId));
  }

  /** Before any connection can be bound, so before any snapshot is asked for. */
  async onModuleInit(): Promise<void> {
    this.subscription = await this.follower.follow(
      (event) => this.take(event),
      () => this.reloadAll(),
    );
  }

  async onApplicationShutdown(): Promise<void> {
    await this.subscription?.stop();
  }

  /**
   * First step of a login, after `connection.session` was set: loads the user's groups and joins the rooms.
   * Resolves when this pod is certain to receive them. Next comes `Replay.arrive`. When it rejects (a Refusal),
   * nothing of the connection stays.
   */
  async bind(connection: Connection): Promise<void> {
    const { session } = connection;
    if (session === null) throw new Error('a connection without a session cannot be bound');
    const user = this.localUser(session.userId);
    user.connections.set(connection, false);
    this.bound.set(connection.id, user);
    this.feed.begin(connection, user.places);
    try {
      await user.beLoaded();
      if (this.bound.get(connection.id) !== user) return;
      user.connections.set(connection, true);
      await this.rooms.join(connection.id, roomsOf(user));
    } catch (error) {
      if (this.bound.get(connection.id) === user) this.unbind(connection);
      throw error;
    }
  }

  /** After logout or when the connection ended. Harmless when it is not bound. */
  unbind(connection: Connection): void {
    const user = this.bound.get(connection.id);
    if (user === undefined) return;
    this.bound.delete(connection.id);
    user.connections.delete(connection);
    this.rooms.drop(connection.id);
    this.feed.detach(connection, roomsOf(user));
    if (user.connections.size > 0) return;
    this.users.delete(user.userId);
    for (const groupId of user.groupIds) this.leaveLocalGroup(user, groupId);
  }

  /** Refusal UNAVAILABLE while the group's members are being loaded again: retry. */
  isMember(userId: string, groupId: string): boolean {
    if (this.groups.get(groupId)?.unsettled) throw new Refusal('UNAVAILABLE');
    return this.roleOf(userId, groupId) !== null;
  }

  /** The version of the group that holds for what the user may do in it now; 0 when not known here. */
  versionOf(userId: string, groupId: string): number {
    const place = this.users.get(userId)?.places.get(groupId);
    return Math.max(this.groups.get(groupId)?.version ?? 0, place?.version ?? 0);
  }

  /** The version with which the user became a member; null for who is none. */
  memberSince(userId: string, groupId: string): number | null {
    const place = this.users.get(userId)?.places.get(groupId);
    return place === undefined || place.role === null ? null : place.memberSince;
  }

  groupsOf(userId: string): string[] {
    return this.users.get(userId)?.groupIds ?? [];
  }

  /**
   * Has the join that `ask` asks for in force for the connection's next packet. The messages that are due to the
   * connection begin here, as those of a login do; for the user's other connections, with the join itself.
   */
  async join(connection: Connection, groupId: string, ask: () => Promise<MembershipChange>): Promise<void> {
    const user = this.bound.get(connection.id);
    const joining = user?.joining.get(groupId) ?? new Set();
    user?.joining.set(groupId, joining.add(connection));
    try {
      const change = await ask();
      if (user !== undefined) await this.applied(user.userId, change);
    } finally {
      joining.delete(connection);
      if (joining.size === 0) user?.joining.delete(groupId);
    }
  }

  /** Resolves when the change a join or quit of `userId` was answered with is in force on this pod. */
  async applied(userId: string, { groupId, version, role }: MembershipChange): Promise<void> {
    const user = this.users.get(userId);
    if (user === undefined || version === 0) return;
    if (role === null) {
      const change = 'removed';
      this.changes.append({ groupId, version, change, userId, role, by: userId });
      this.put(user, groupId, { version, role, change, by: userId, memberSince: null, followed: version });
      return;
    }
    // An answer can be late, and what it says over: where the stream has not brought the join, nothing is
    // believed but a snapshot.
    if ((user.places.get(groupId)?.version ?? 0) < version) {
      user.ownJoins.set(groupId, version);
      await this.reload(user);
      user.ownJoins.delete(groupId);
    }
    const joins = user.places.get(groupId)?.joins;
    if (joins !== undefined) await Promise.all(joins);
  }

  private take(event: MembershipEvent): void {
    this.changes.append(event);
    const { groupId, version, change, userId } = event;
    const group = this.groups.get(groupId);
    const areMissed = group !== undefined && version > group.lastRead + 1;
    if (group !== undefined) {
      group.lastRead = version;
      group.version = Math.max(group.version, version);
    }
    // Before the version is known to the feed: who was removed must not get what waited for it.
    const concerned = change === 'dissolved' ? [...(group?.members ?? [])] : [this.users.get(userId ?? '')];
    for (const user of concerned) {
      // After a hole it is not known of whom it changes: they are loaded again.
      if (!user?.loaded || (change === 'role' && areMissed)) continue;
      this.put(user, groupId, { ...standingAfter(event), followed: version });
    }
    // Also when nobody here is left of who was a member: somebody else here may have become one.
    if (areMissed) return this.changesOfGroupWereMissed(groupId, version);
    if (group === undefined || this.groups.get(groupId) !== group) return;
    if (group.unsettled === null) this.versions.reached(groupId, group.version);
  }

  /** Also others may have been added by what was missed, so all are loaded; but only the group waits for it. */
  private changesOfGroupWereMissed(groupId: string, version: number): void {
    this.logger.warn({ groupId, version }, 'changes of a group were missed');
    this.misses++;
    this.reloadGroup(groupId);
    for (const user of this.users.values()) void this.reload(user);
  }

  private reloadAll(): void {
    this.logger.warn({ users: this.users.size }, 'changes of memberships may have been missed');
    this.misses++;
    for (const group of this.groups.values()) {
      this.block(group.groupId);
      // Nothing is missing between what is loaded now and what is read next.
      group.lastRead = Infinity;
    }
    for (const user of this.users.values()) void this.reload(user);
  }

  private reloadGroup(groupId: string): void {
    for (const user of this.block(groupId)) void this.reload(user);
  }

  private block(groupId: string): Iterable<LocalUser> {
    const group = this.groups.get(groupId);
    if (group === undefined) return [];
    this.versions.block(groupId);
    group.unsettled = new Set(group.members);
    return group.members;
  }

  /** Resolves after a load that began after this call. One that waits for its turn serves all who ask meanwhile. */
  private reload(user: LocalUser): Promise<unknown> {
    if (user.nextReload !== null) return user.nextReload;
    const isWanted = (): boolean => this.users.get(user.userId) === user;
    let hasBegun = false;
    const reload = this.reloads.pass(() => {
      hasBegun = true;
      user.nextReload = null;
      return askAgain(() => user.load.ask(), isWanted, this.logger);
    });
    if (!hasBegun) user.nextReload = reload;
    return reload;
  }

  /** Rejects with a Refusal when the groups service does not answer. */
  private async load(user: LocalUser): Promise<void> {
    for (;;) {
      const { misses } = this;
      const awaiting = [...this.groups.values()].filter((group) => group.unsettled?.has(user));
      const changesSince = this.changes.mark();
      const placesBefore = new Map(user.places);
      const { memberships } = await this.requests.request(GroupsRequest.ofUser, { userId: user.userId });
      if (this.users.get(user.userId) !== user) return;
      if (misses !== this.misses) continue;
      this.putAll(user, memberships, placesBefore, changesSince);
      user.loaded = true;
      for (const group of awaiting) this.settle(group, user);
      return;
    }
  }

  private putAll(
    user: LocalUser,
    memberships: readonly MembershipOfUser[],
    placesBefore: ReadonlyMap<string, Place>,
    changesSince: () => Iterable<MembershipEvent>,
  ): void {
    const standings = new Map<string, Standing>();
    // During an update a groups service of before answers without it.
    for (const { groupId, version, role, memberSince = 0 } of memberships) {
      const change = this.roleOf(user.userId, groupId) === null ? 'added' : 'role';
      const by = user.ownJoins.get(groupId) === version ? user.userId : null;
      standings.set(groupId, { version, role, change, by, memberSince, followed: version });
    }
    for (const event of changesSince()) {
      const { groupId, version, change, userId } = event;
      const known = standings.get(groupId);
      const isOfUser = change === 'dissolved' ? known !== undefined : userId === user.userId;
      if (isOfUser && version > (known?.version ?? 0)) {
        const after = standingAfter(event);
        standings.set(groupId, {
          ...after,
          memberSince: after.memberSince ?? known?.memberSince ?? null,
          followed: Math.max(known?.followed ?? 0, version),
        });
      } else if (known !== undefined && version === known.followed + 1) {
        standings.set(groupId, { ...known, followed: version });
      }
    }
    const isListed = new Set(memberships.map(({ groupId }) => groupId));
    for (const [groupId, place] of placesBefore) {
      // Known before the snapshot was asked for, and not in it: over since, by a change that has not come.
      if (place.role === null || isListed.has(groupId) || user.places.get(groupId) !== place) continue;
      const version = place.version + 1;
      const gone = { role: null, change: 'removed', by: null, memberSince: null } as const;
      standings.set(groupId, { ...gone, version, followed: version });
    }
    for (const [groupId, standing] of standings) this.put(user, groupId, standing);
  }

  /** The group goes on when each member who was here has been loaded since. */
  private settle(group: LocalGroup, user: LocalUser): void {
    if (this.groups.get(group.groupId) !== group || group.unsettled === null) return;
    group.unsettled.delete(user);
    this.endBlock(group);
  }

  private endBlock(group: LocalGroup): void {
    if (group.unsettled === null || group.unsettled.size > 0) return;
    group.unsettled = null;
    group.version = Math.max(group.version, versionOfMembers(group));
    this.versions.reached(group.groupId, group.version);
  }

  /** When each member's place is known as of a later version than the stream has brought, that version holds. */
  private runAhead(group: LocalGroup): void {
    if (group.unsettled !== null || versionOfMembers(group) <= group.version) return;
    group.version = versionOfMembers(group);
    this.versions.reached(group.groupId, group.version);
  }

  /** Takes a user's place in a group as of a version, unless a later one is known. */
  private put(user: LocalUser, groupId: string, standing: Standing): void {
    const { version, role, change, by, memberSince } = standing;
    const before = user.places.get(groupId);
    if (before !== undefined && before.version >= version) return;
    const wasMember = before !== undefined && before.role !== null;
    // Became one while known as a member: the removal in between was missed, and what was said then is not the user's.
    const stays = wasMember && role !== null && (memberSince === null || memberSince <= before.version);
    const place: Place = stays
      ? { ...before, version, role }
      : { version, role, memberSince: memberSince ?? version, joins: new Set() };
    if (wasMember && !stays) this.exit(user, groupId);
    user.put(groupId, place);
    if (role !== null && !stays) this.enter(user, groupId, place, standing.followed);
    const group = this.groups.get(groupId);
    if (group !== undefined && version > group.version) this.runAhead(group);
    if (user.loaded && (before?.role ?? null) !== role) {
      push(user, { chatId: groupId, change, role, by, groupVersion: version });
    }
  }

  private enter(user: LocalUser, groupId: string, place: Place, followed: number): void {
    let group = this.groups.get(groupId);
    if (group === undefined) {
      group = new LocalGroup(groupId, followed);
      this.groups.set(groupId, group);
      this.versions.reached(groupId, followed);
    }
    // The stream can be behind a snapshot of another member: then nothing later holds for all of them yet.
    if (followed < group.version) {
      group.version = followed;
      if (group.unsettled === null) this.versions.reached(groupId, followed);
    }
    group.members.add(user);
    for (const connection of user.placedConnections()) {
      const joins = this.joinRoom(user, connection, groupId, place).finally(() => place.joins.delete(joins));
      place.joins.add(joins);
    }
  }

  private async joinRoom(
    user: LocalUser,
    connection: Connection,
    groupId: string,
    place: Place,
  ): Promise<void> {
    const isWanted = (): boolean =>
      connection.isOpen &&
      this.bound.get(connection.id) === user &&
      user.places.get(groupId)?.joins === place.joins;
    const isOwn = user.joining.get(groupId)?.has(connection) ?? false;
    // Who is a member since nobody knows when has just been heard of as one.
    const version = place.memberSince || place.version;
    this.feed.beginGroup(connection, groupId);
    const room = [groupRoom(groupId)];
    const joined = await askAgain(
      async () => {
        await this.rooms.join(connection.id, room);
        const positions = await this.positions.read();
        return { positions, earlier: isOwn ? [] : await this.saidSince(groupId, version, positions) };
      },
      isWanted,
      this.logger,
    );
    if (joined !== null && isWanted()) this.feed.joinGroup(connection, groupId, { ...joined, version });
  }

  /** Somebody else's change, or that of another device, is heard of late, or much later after a cut. */
  private saidSince(groupId: string, version: number, positions: Positions): Promise<StoredMessage[]> {
    const conversation = groupConversation(groupId);
    return saidSince(this.requests, {
      conversation,
      version,
      position: positions[partitionOf(conversation, positions.length)]!,
      limit: this.config.REPLAY_MAX_MESSAGES,
    });
  }

  private exit(user: LocalUser, groupId: string): void {
    for (const connection of user.placedConnections()) {
      this.rooms.leave(connection.id, groupRoom(groupId));
      this.feed.leaveGroup(connection, groupId);
    }
    this.leaveLocalGroup(user, groupId);
  }

  private leaveLocalGroup(user: LocalUser, groupId: string): void {
    const group = this.groups.get(groupId);
    if (group === undefined) return;
    group.members.delete(user);
    group.unsettled?.delete(user);
    if (group.members.size === 0) {
      this.groups.delete(groupId);
      this.versions.forget(groupId);
    } else {
      this.endBlock(group);
    }
  }

  private roleOf(userId: string, groupId: string): GroupRole | null {
    return this.users.get(userId)?.places.get(groupId)?.role ?? null;
  }

  private localUser(userId: string): LocalUser {
    let user = this.users.get(userId);
    if (user === undefined) {
      user = new LocalUser(userId, (loaded) => this.load(loaded));
      this.users.set(userId, user);
    }
    return user;
  }
}

/** As of this version it is known of each member here that they are one. */
function versionOfMembers({ groupId, members }: LocalGroup): number {
  let lowest = Infinity;
  for (const { places } of members) lowest = Math.min(lowest, places.get(groupId)!.version);
  return lowest;
}

function standingAfter({ version, role, change, by }: MembershipEvent): Omit<Standing, 'followed'> {
  return { version, role, change, by, memberSince: change === 'added' ? version : null };
}

function roomsOf(user: LocalUser): RoomName[] {
  return [userRoom(user.userId), ...user.groupIds.map(groupRoom)];
}

function push(user: LocalUser, change: Omit<MembershipPush, 'version' | 'command' | 'chatType'>): void {
  const packet: MembershipPush = {
    version: PROTOCOL_VERSION,
    command: Command.MembershipPush,
    chatType: ChatType.Group,
    ...change,
  };
  const text = JSON.stringify(packet);
  for (const connection of user.placedConnections()) if (connection.session?.pushes) connection.send(text);
}
