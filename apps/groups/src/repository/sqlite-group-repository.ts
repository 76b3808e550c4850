import type { GroupRole, JoinPolicy, MembershipEvent, MembershipOfUser } from '@starling/bus';
import { UnmetExpectationError, type SqliteDatabase, type SqliteStatement } from '@starling/storage';
import type { Group, GroupChange, GroupRepository, Place } from './group-repository.js';
import { GROUP_TABLES } from './sqlite-group-tables.js';

type GroupRow = {
  version: number;
  policy: JoinPolicy;
  dissolved: number;
  member_count: number;
  /** Null when none of the users asked for has a place. */
  user_id: string | null;
  role: GroupRole | null;
  removed_by: string | null;
};

export class SqliteGroupRepository implements GroupRepository {
  private constructor(private readonly database: SqliteDatabase) {}

  static async open(database: SqliteDatabase): Promise<SqliteGroupRepository> {
    await database.migrate('groups', GROUP_TABLES);
    return new SqliteGroupRepository(database);
  }

  async read(groupId: string, userIds: readonly string[]): Promise<Group | null> {
    const parameters = userIds.map(() => '?').join(', ');
    const rows = await this.database.all<GroupRow>(
      `SELECT g.version, g.policy, g.dissolved, g.member_count, m.user_id, m.role, m.removed_by
       FROM chat_groups g
       LEFT JOIN group_members m ON m.group_id = g.group_id AND m.user_id IN (${parameters})
       WHERE g.group_id = ?`,
      [...userIds, groupId],
    );
    const group = rows[0];
    if (!group) return null;
    return {
      groupId,
      version: group.version,
      policy: group.policy,
      dissolved: group.dissolved === 1,
      memberCount: group.member_count,
      places: new Map(rows.flatMap((row) => (row.user_id === null ? [] : [[row.user_id, placeOf(row)]]))),
    };
  }

  async ofUser(userId: string): Promise<MembershipOfUser[]> {
    return this.database.all<MembershipOfUser>(
      `SELECT m.group_id AS groupId, g.version, m.role, m.member_since AS memberSince
       FROM group_members m JOIN chat_groups g ON g.group_id = m.group_id
       WHERE m.user_id = ? AND m.role IS NOT NULL`,
      [userId],
    );
  }

  async successor(groupId: string): Promise<string | null> {
    const rows = await this.database.all<{ user_id: string }>(
      `SELECT user_id FROM group_members WHERE group_id = ? AND role IN ('admin', 'member')
       ORDER BY role = 'admin' DESC, since_version LIMIT 1`,
      [groupId],
    );
    return rows[0]?.user_id ?? null;
  }

  async commit(change: GroupChange): Promise<boolean> {
    try {
      await this.database.transaction([
        groupStatement(change),
        ...change.events.map(placeStatement),
        {
          sql: 'INSERT INTO group_outbox (group_id, version, event) VALUES (?, ?, ?)',
          each: change.events.map((event) => [event.groupId, event.version, JSON.stringify(event)]),
        },
      ]);
      return true;
    } catch (error) {
      if (error instanceof UnmetExpectationError && error.statement === 0) return false;
      throw error;
    }
  }

  async unpublished(groupId: string, limit: number): Promise<MembershipEvent[]> {
    const rows = await this.database.all<{ event: string }>(
      'SELECT event FROM group_outbox WHERE group_id = ? ORDER BY version LIMIT ?',
      [groupId, limit],
    );
    return rows.map((row) => JSON.parse(row.event) as MembershipEvent);
  }

  async groupsWithUnpublished(limit: number): Promise<string[]> {
    const rows = await this.database.all<{ group_id: string }>(
      'SELECT DISTINCT group_id FROM group_outbox LIMIT ?',
      [limit],
    );
    return rows.map((row) => row.group_id);
  }

  async forgetPublished(groupId: string, upTo: number): Promise<void> {
    await this.database.transaction([
      { sql: 'DELETE FROM group_outbox WHERE group_id = ? AND version <= ?', params: [groupId, upTo] },
    ]);
  }
}

function placeOf({ role, removed_by }: GroupRow): Place {
  return role === null ? { kind: 'removed', by: removed_by } : { kind: 'member', role };
}

/** The first statement of a change: it changes no row when the group is not at `from`. */
function groupStatement({ groupId, from, policy, events }: GroupChange): SqliteStatement {
  const version = from + events.length;
  const dissolved = events.some((event) => event.change === 'dissolved');
  const entered = events.filter((event) => event.change === 'added').length;
  const left = events.filter((event) => event.change === 'removed').length;
  if (from === 0) {
    return {
      sql: `INSERT INTO chat_groups (group_id, version, policy, dissolved, member_count) VALUES (?, ?, ?, 0, ?)
            ON CONFLICT (group_id) DO NOTHING`,
      params: [groupId, version, policy, entered - left],
      expectChanges: 1,
    };
  }
  return {
    sql: `UPDATE chat_groups
          SET version = ?, dissolved = ?, member_count = CASE WHEN ? THEN 0 ELSE member_count + ? END
          WHERE group_id = ? AND version = ?`,
    params: [version, dissolved ? 1 : 0, dissolved ? 1 : 0, entered - left, groupId, from],
    expectChanges: 1,
  };
}

function placeStatement({ groupId, version, change, userId, role, by }: MembershipEvent): SqliteStatement {
  switch (change) {
    case 'added':
      return {
        sql: `INSERT INTO group_members (group_id, user_id, role, since_version, member_since, removed_by)
              VALUES (?, ?, ?, ?, ?, NULL)
              ON CONFLICT (group_id, user_id) DO UPDATE
              SET role = excluded.role, since_version = excluded.since_version,
                  member_since = excluded.member_since, removed_by = NULL
              WHERE role IS NULL`,
        params: [groupId, userId, role, version, version],
        expectChanges: 1,
      };
    case 'role':
      return {
        sql: `UPDATE group_members SET role = ?, since_version = ?
              WHERE group_id = ? AND user_id = ? AND role IS NOT NULL`,
        params: [role, version, groupId, userId],
        expectChanges: 1,
      };
    case 'removed':
      if (by === userId) {
        return {
          sql: 'DELETE FROM group_members WHERE group_id = ? AND user_id = ? AND role IS NOT NULL',
          params: [groupId, userId],
          expectChanges: 1,
        };
      }
      return {
        sql: `UPDATE group_members SET role = NULL, since_version = ?, removed_by = ?
              WHERE group_id = ? AND user_id = ? AND role IS NOT NULL`,
        params: [version, by, groupId, userId],
        expectChanges: 1,
      };
    case 'dissolved':
      return { sql: 'DELETE FROM group_members WHERE group_id = ?', params: [groupId] };
  }
}
