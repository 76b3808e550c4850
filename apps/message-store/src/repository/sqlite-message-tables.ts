/** Steps of migration; only ever appended. */
export const MESSAGE_TABLES = [
  `
  -- What must never change once messages are stored: the number of partitions and their hash.
  CREATE TABLE message_store_settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE partitions (
    partition  INTEGER PRIMARY KEY,
    epoch      INTEGER NOT NULL,
    position   INTEGER NOT NULL,
    message_id TEXT
  ) STRICT;

  CREATE TABLE messages (
    conversation       TEXT NOT NULL,
    seq                INTEGER NOT NULL,
    message_id         TEXT NOT NULL,
    sender             TEXT NOT NULL,
    server_time        INTEGER NOT NULL,
    partition          INTEGER NOT NULL,
    position           INTEGER NOT NULL,
    previous_position  INTEGER NOT NULL,
    membership_version INTEGER NOT NULL,
    dedupe_key         TEXT NOT NULL,
    body               TEXT NOT NULL,
    PRIMARY KEY (conversation, seq)
  ) STRICT;
  -- The conversation is part of the key's hash as well; in front it keeps what is looked up together together.
  CREATE UNIQUE INDEX messages_dedupe ON messages (conversation, dedupe_key);

  CREATE TABLE conversations (
    conversation  TEXT PRIMARY KEY,
    partition     INTEGER NOT NULL,
    head          INTEGER NOT NULL,
    head_position INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX conversations_touched ON conversations (partition, head_position);

  -- Private conversations only: who is in a group is the groups service's to say.
  CREATE TABLE participants (
    user_id      TEXT NOT NULL,
    conversation TEXT NOT NULL,
    PRIMARY KEY (user_id, conversation)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE set_aside_submits (
    partition    INTEGER NOT NULL,
    position     INTEGER NOT NULL,
    message_id   TEXT,
    reason       TEXT NOT NULL,
    submit       TEXT,
    set_aside_at INTEGER NOT NULL,
    PRIMARY KEY (partition, position)
  ) STRICT;

  CREATE TABLE read_cursors (
    user_id      TEXT NOT NULL,
    conversation TEXT NOT NULL,
    seq          INTEGER NOT NULL,
    PRIMARY KEY (user_id, conversation)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE replays (
    user_id    TEXT PRIMARY KEY,
    -- Positions as JSON.
    base       TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX replays_expired ON replays (expires_at);

  CREATE TABLE replay_cursors (
    user_id      TEXT NOT NULL REFERENCES replays ON DELETE CASCADE,
    conversation TEXT NOT NULL,
    seq          INTEGER NOT NULL,
    PRIMARY KEY (user_id, conversation)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE log_losses (
    partition  INTEGER NOT NULL,
    position   INTEGER NOT NULL,
    message_id TEXT,
    found      TEXT NOT NULL,
    found_at   INTEGER NOT NULL,
    PRIMARY KEY (partition, position)
  ) STRICT;
  `,
] as const;
