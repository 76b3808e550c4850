import type { GroupRole, JoinPolicy, MembershipEvent } from '@starling/bus';
import { migrateMongo, MONGO_SCHEMA, type MongoCollections, type MongoDatabase } from '@starling/storage';
import { Schema } from 'mongoose';

const text = { type: String, required: true } as const;
const number = { type: Number, required: true } as const;
const textOrNull = { type: String, default: null } as const;

/** A dissolved group stays: its id is never given again. */
export interface GroupDocument {
  readonly _id: string;
  readonly version: number;
  readonly policy: JoinPolicy;
  readonly dissolved: boolean;
  readonly memberCount: number;
}

export interface MemberDocument {
  readonly groupId: string;
  readonly userId: string;
  /** Null: removed by somebody else, and not to come back before being added. */
  readonly role: GroupRole | null;
  /** The group's version that gave the role, or took it. */
  readonly sinceVersion: number;
  /** The group's version with which a member became one; absent where that was before it was kept. */
  readonly memberSince?: number;
  /** Null with a null role: by an administrator of the server. */
  readonly removedBy: string | null;
}

export const GROUPS = {
  name: 'chat_groups',
  schema: new Schema<GroupDocument>(
    {
      _id: text,
      version: number,
      policy: { ...text, enum: ['open', 'closed'] },
      dissolved: { type: Boolean, required: true },
      memberCount: number,
    },
    MONGO_SCHEMA,
  ),
};

export const MEMBERS = {
  name: 'group_members',
  schema: new Schema<MemberDocument>(
    {
      groupId: text,
      userId: text,
      role: textOrNull,
      sinceVersion: number,
      memberSince: Number,
      removedBy: textOrNull,
    },
    MONGO_SCHEMA,
  )
    .index({ groupId: 1, userId: 1 }, { unique: true })
    .index({ userId: 1 })
    // The last word on what the rules promise: one owner.
    .index({ groupId: 1 }, { unique: true, partialFilterExpression: { role: 'owner' } })
    // Whoever has had a role the longest.
    .index({ groupId: 1, role: 1, sinceVersion: 1 }),
};

/** Events that are committed but perhaps not published yet. */
export const OUTBOX = {
  name: 'group_outbox',
  schema: new Schema<MembershipEvent>(
    { groupId: text, version: number, change: text, userId: textOrNull, role: textOrNull, by: textOrNull },
    MONGO_SCHEMA,
  ).index({ groupId: 1, version: 1 }, { unique: true }),
};

export const GROUP_COLLECTIONS: MongoCollections = {
  owner: 'groups',
  collections: [GROUPS, MEMBERS, OUTBOX],
};

export async function migrateGroups(database: MongoDatabase): Promise<void> {
  await migrateMongo(database, GROUP_COLLECTIONS);
}
