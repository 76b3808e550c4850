/**
 * Every command number of the wire, once. A response is its request + 1; pushes that only the server
 * sends are negative and even. New commands take the next free numbers here and in SPEC.md.
 */
export const Command = {
  Bind: 1,
  BindAnswer: 2,
  SendMessage: 3,
  Message: 4,
  Unbind: 5,
  UnbindAnswer: 6,
  JoinGroup: 7,
  JoinGroupAnswer: 8,
  QuitGroup: 9,
  QuitGroupAnswer: 10,
  Heartbeat: 17,
  HeartbeatAnswer: 18,
  History: 19,
  HistoryAnswer: 20,
  Sync: 21,
  SyncAnswer: 22,
  Read: 23,
  ReadAnswer: 24,
  Signal: -9,
  SignalPush: -10,
  MembershipPush: -12,
  ClosingPush: -14,
  ReadPush: -16,
} as const;

export type CommandName = keyof typeof Command;
export type CommandNumber = (typeof Command)[CommandName];

export const PROTOCOL_VERSION = 1;

/** `chatType` on the wire, in every command. */
export const ChatType = { Private: 0, Group: 1 } as const;
export type ChatType = (typeof ChatType)[keyof typeof ChatType];

/** `contentType` values with a known meaning; other numbers pass through too. */
export const ContentType = {
  Text: 0,
  Video: 1,
  Voice: 2,
  Image: 3,
  RedPacket: 4,
  RedPacketTaken: 5,
} as const;
