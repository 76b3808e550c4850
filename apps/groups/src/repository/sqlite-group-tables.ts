/** Steps of migration; only ever appended. */
export const GROUP_TABLES = [
  `
  -- A dissolved group stays: its id is never given again.
  CREATE TABLE chat_groups (
    group_id     TEXT PRIMARY KEY,
    version      INTEGER NOT NULL,
    policy       TEXT NOT NULL CHECK (policy IN ('open', 'closed')),
    dissolved    INTEGER NOT NULL,
    member_count INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE group_members (
    group_id      TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    -- NULL: removed by somebody else, and not to come back before being added.
    role          TEXT CHECK (role IN ('owner', 'admin', 'member')),
    -- The group's version that gave the role, or took it.
    since_version INTEGER NOT NULL,
    -- NULL with a NULL role: by an administrator of the server.
    removed_by    TEXT,
    PRIMARY KEY (group_id, user_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX group_members_by_user ON group_members (user_id) WHERE role IS NOT NULL;
  -- The last word on what the rules promise: one owner.
  CREATE UNIQUE INDEX group_members_owner ON group_members (group_id) WHERE role = 'owner';

  CREATE TABLE group_outbox (
    group_id TEXT NOT NULL,
    version  INTEGER NOT NULL,
    -- The MembershipEvent as JSON.
    event    TEXT NOT NULL,
    PRIMARY KEY (group_id, version)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- The group's version with which a member became one; 0 where that was before it was kept.
  ALTER TABLE group_members ADD COLUMN member_since INTEGER NOT NULL DEFAULT 0;
  `,
] as const;
