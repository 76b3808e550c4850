import type { MembershipEvent, MembershipOfUser } from '@starling/bus';
import { isDuplicateKey, migrated, MongoWriters, type MongoDatabase } from '@starling/storage';
import type { ClientSession, Model, mongo } from 'mongoose';
import type { Group, GroupChange, GroupRepository, Place } from './group-repository.js';
import {
  GROUP_COLLECTIONS,
  GROUPS,
  MEMBERS,
  OUTBOX,
  type GroupDocument,
  type MemberDocument,
} from './mongo-group-collections.js';

/** Documents that come with one answer of the server. */
const PAGE_MAX = 1_000;

/** What a place is read with. */
type PlaceFields = Pick<MemberDocument, 'userId' | 'role' | 'removedBy'>;

/** The group's document is written first by every change, so changes of one group never interleave. */
export class MongoGroupRepository implements GroupRepository {
  private readonly groups: Model<GroupDocument>;
  private readonly members: Model<MemberDocument>;
  private readonly outbox: Model<MembershipEvent>;
  private readonly writers: MongoWriters;

  private constructor(private readonly database: MongoDatabase) {
    this.groups = database.model<GroupDocument>(GROUPS);
    this.members = database.model<MemberDocument>(MEMBERS);
    this.outbox = database.model<MembershipEvent>(OUTBOX);
    this.writers = new MongoWriters(database);
  }

  /** Waits for the migration. */
  static async open(database: MongoDatabase): Promise<MongoGroupRepository> {
    await migrated(database, GROUP_COLLECTIONS);
    return new MongoGroupRepository(database);
  }

  async read(groupId: string, userIds: readonly string[]): Promise<Group | null> {
    return this.database.transaction(async (session) => {
      const group = await this.groups.findById(groupId, null, { session }).lean();
      if (group === null) return null;
      const places = await this.members
        .find({ groupId, userId: { $in: userIds } }, { userId: 1, role: 1, removedBy: 1 }, { session })
        .batchSize(PAGE_MAX)
        .lean<PlaceFields[]>();
      const { version, policy, dissolved, memberCount } = group;
      return {
        groupId,
        version,
        policy,
        dissolved,
        memberCount,
        places: new Map(places.map((place) => [place.userId, placeOf(place)])),
      };
    });
  }

  async ofUser(userId: string): Promise<MembershipOfUser[]> {
    return this.database.transaction(async (session) => {
      const places = await this.members
        .find({ userId, role: { $ne: null } }, { groupId: 1, role: 1, memberSince: 1 }, { session })
        .batchSize(PAGE_MAX)
        .lean();
      const groups = await this.groups
        .find({ _id: { $in: places.map(({ groupId }) => groupId) } }, { version: 1 }, { session })
        .batchSize(PAGE_MAX)
        .lean();
      const versions = new Map(groups.map(({ _id, version }) => [_id, version]));
      return places.map(({ groupId, role, memberSince = 0 }) => ({
        groupId,
        version: versions.get(groupId) ?? 0,
        role,
        memberSince,
      }));
    });
  }

  async successor(groupId: string): Promise<string | null> {
    for (const role of ['admin', 'member'] as const) {
      const longest = await this.database.run(() =>
        this.members.findOne({ groupId, role }, { userId: 1 }).sort({ sinceVersion: 1 }).lean(),
      );
      if (longest) return longest.userId;
    }
    return null;
  }

  commit(change: GroupChange): Promise<boolean> {
    return this.writers.transaction(async (session) => {
      if (!(await this.moveVersion(change, session))) {
        await session.abortTransaction();
        return false;
      }
      const { matchedCount, upsertedCount, deletedCount } = await this.database
        .collection<MemberDocument>(MEMBERS)
        .bulkWrite(change.events.map(placeWrite), { session, ordered: true });
      const places = change.events.filter((event) => event.change !== 'dissolved').length;
      const isDissolved = places < change.events.length;
      if (!isDissolved && matchedCount + upsertedCount + deletedCount !== places) {
        throw new Error(`a change of group ${change.groupId} does not fit its members`);
      }
      await this.database
        .collection<MembershipEvent>(OUTBOX)
        .insertMany(change.events.map(eventOf), { session });
      return true;
    });
  }

  async unpublished(groupId: string, limit: number): Promise<MembershipEvent[]> {
    const events = await this.database.run(() =>
      this.outbox
        .find({ groupId, version: { $gt: 0, $lte: Number.MAX_SAFE_INTEGER } })
        .sort({ version: 1 })
        .limit(limit)
        .lean(),
    );
    return events.map(eventOf);
  }

  async groupsWithUnpublished(limit: number): Promise<string[]> {
    const groups = await this.database.run(() =>
      this.outbox.aggregate<{ _id: string }>([
        { $sort: { groupId: 1, version: 1 } },
        { $group: { _id: '$groupId' } },
        { $limit: limit },
      ]),
    );
    return groups.map(({ _id }) => _id);
  }

  async forgetPublished(groupId: string, upTo: number): Promise<void> {
    await this.database.run(() => this.outbox.deleteMany({ groupId, version: { $gt: 0, $lte: upTo } }));
  }

  /** False when the group is not at `from`. */
  private async moveVersion(
    { groupId, from, policy, events }: GroupChange,
    session: ClientSession,
  ): Promise<boolean> {
    const version = from + events.length;
    const entered = events.filter((event) => event.change === 'added').length;
    const left = events.filter((event) => event.change === 'removed').length;
    const groups = this.database.collection<GroupDocument>(GROUPS);
    if (from > 0) {
      const dissolved = events.some((event) => event.change === 'dissolved');
      const { matchedCount } = await groups.updateOne(
        { _id: groupId, version: from },
        dissolved
          ? { $set: { version, dissolved, memberCount: 0 } }
          : { $set: { version }, $inc: { memberCount: entered - left } },
        { session },
      );
      return matchedCount === 1;
    }
    try {
      const group = { _id: groupId, version, policy, dissolved: false, memberCount: entered - left };
      await groups.insertOne(group, { session });
      return true;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }
}

function placeOf({ role, removedBy }: PlaceFields): Place {
  return role === null ? { kind: 'removed', by: removedBy } : { kind: 'member', role };
}

/** Without `_id`, and with nothing else that a document may have. */
function eventOf({ groupId, version, change, userId, role, by }: MembershipEvent): MembershipEvent {
  return { groupId, version, change, userId, role, by };
}

/** Each changes exactly one place, or none and the change is refused; a dissolution takes them all. */
function placeWrite(event: MembershipEvent): mongo.AnyBulkWriteOperation<MemberDocument> {
  const { groupId, version, change, userId, role, by } = event;
  if (change === 'dissolved' || userId === null) return { deleteMany: { filter: { groupId } } };
  const member = { groupId, userId, role: { $ne: null } };
  switch (change) {
    case 'added':
      // Whoever is a member does not match, and the insert then breaks the unique index.
      return {
        updateOne: {
          filter: { groupId, userId, role: null },
          update: { $set: { role, sinceVersion: version, memberSince: version, removedBy: null } },
          upsert: true,
        },
      };
    case 'role':
      return { updateOne: { filter: member, update: { $set: { role, sinceVersion: version } } } };
    case 'removed':
      if (by === userId) return { deleteOne: { filter: member } };
      return {
        updateOne: { filter: member, update: { $set: { role: null, sinceVersion: version, removedBy: by } } },
      };
  }
}
