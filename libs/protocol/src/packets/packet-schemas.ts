import type { z } from 'zod';
import { Command } from '../commands.js';
import { idSchema, type SchemaLimits } from './field-schemas.js';
import * as group from './group-packets.js';
import * as history from './history-packets.js';
import * as message from './message-packets.js';
import * as session from './session-packets.js';
import * as signal from './signal-packets.js';

/** The schema of every packet, by command: `requests` come from clients, `responses` (answers, pushes) from the server. */
export function packetSchemas(limits: SchemaLimits) {
  const id = idSchema(limits);
  return {
    requests: {
      [Command.Bind]: session.bindRequest(id),
      [Command.SendMessage]: message.sendMessageRequest(id),
      [Command.Unbind]: session.unbindRequest(id),
      [Command.JoinGroup]: group.joinGroupRequest(id),
      [Command.QuitGroup]: group.quitGroupRequest(id),
      [Command.Heartbeat]: session.heartbeatRequest,
      [Command.History]: history.historyRequest(id),
      [Command.Sync]: history.syncRequest(id),
      [Command.Read]: history.readRequest(id),
      [Command.Signal]: signal.signalRequest(id),
    },
    responses: {
      [Command.BindAnswer]: session.bindAnswer,
      [Command.Message]: message.messageAnswer(id),
      [Command.UnbindAnswer]: session.unbindAnswer,
      [Command.JoinGroupAnswer]: group.joinGroupAnswer,
      [Command.QuitGroupAnswer]: group.quitGroupAnswer,
      [Command.HeartbeatAnswer]: session.heartbeatAnswer,
      [Command.HistoryAnswer]: history.historyAnswer(id),
      [Command.SyncAnswer]: history.syncAnswer(id),
      [Command.ReadAnswer]: history.readAnswer,
      [Command.SignalPush]: signal.signalPush(id),
      [Command.MembershipPush]: group.membershipPush,
      [Command.ClosingPush]: session.closingPush,
      [Command.ReadPush]: history.readPush,
    },
  };
}

export type PacketSchemas = ReturnType<typeof packetSchemas>;
type Requests = PacketSchemas['requests'];
type Responses = PacketSchemas['responses'];

export type RequestCommand = keyof Requests;
/** The packet a client sends with `command`. */
export type RequestOf<Number extends RequestCommand> = z.infer<Requests[Number]>;
/** Any packet a client sends; `command` tells which. */
export type Request = { [Number in RequestCommand]: RequestOf<Number> }[RequestCommand];

export type ResponseCommand = keyof Responses;
/** The packet the server sends with `command`. */
export type ResponseOf<Number extends ResponseCommand> = z.infer<Responses[Number]>;

export type BindRequest = RequestOf<typeof Command.Bind>;
export type SendMessageRequest = RequestOf<typeof Command.SendMessage>;
export type UnbindRequest = RequestOf<typeof Command.Unbind>;
export type JoinGroupRequest = RequestOf<typeof Command.JoinGroup>;
export type QuitGroupRequest = RequestOf<typeof Command.QuitGroup>;
export type HeartbeatRequest = RequestOf<typeof Command.Heartbeat>;
export type HistoryRequest = RequestOf<typeof Command.History>;
export type SyncRequest = RequestOf<typeof Command.Sync>;
export type ReadRequest = RequestOf<typeof Command.Read>;
export type SignalRequest = RequestOf<typeof Command.Signal>;

export type MembershipPush = ResponseOf<typeof Command.MembershipPush>;
