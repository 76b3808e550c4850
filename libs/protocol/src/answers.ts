import { Command, PROTOCOL_VERSION } from './commands.js';
import { ErrorCode, type Refusal } from './errors.js';
import type { JsonObject } from './json-guard.js';
import { fieldsWithoutBraces, messagePacketText } from './message-body.js';

/** Every 3 seconds to every client, so no longer than it must be. */
export const HEARTBEAT_ANSWER = `{"version":${PROTOCOL_VERSION},"command":${Command.HeartbeatAnswer}}`;

/** The command of what could not be understood at all: no client has a listener for it. */
const NO_COMMAND = 0;

/**
 * The command that answers a request, known or not: +1, and -1 below zero (-9 is answered by -10). 0 for
 * what is no request: not an odd number in a signed byte.
 */
export function answerCommand(command: unknown): number {
  if (typeof command !== 'number' || Math.abs(command % 2) !== 1 || Math.abs(command) > 127)
    return NO_COMMAND;
  return command > 0 ? command + 1 : command - 1;
}

/**
 * The packet that tells a client of a refusal, as JSON text.
 * @param request as far as it passed the guard; null when it could not be read.
 * @param boundUser the connection's user; null before login.
 */
export function refusalAnswer(
  refusal: Refusal,
  request: JsonObject | null,
  boundUser: string | null,
): string {
  const command = answerCommand(request?.command);
  const outcome = { success: false, errorMsg: refusal.message, errorCode: ErrorCode[refusal.error].code };
  if (command === Command.Message) return refusedMessage(request ?? {}, boundUser, outcome);
  const answer: JsonObject = { version: PROTOCOL_VERSION, command, ...outcome };
  if (typeof request?.chatType === 'number') answer.chatType = request.chatType;
  if (typeof request?.chatId === 'string') answer.chatId = request.chatId;
  return JSON.stringify(answer);
}

/**
 * webim.js shows every command 4 whose sender is not the user itself: so the sender is the bound user, and where
 * there is none the content is empty, which it does not show either.
 */
function refusedMessage(request: JsonObject, boundUser: string | null, outcome: JsonObject): string {
  const sender = boundUser === null ? { content: '' } : { fromUserId: boundUser };
  return messagePacketText(
    `${fieldsWithoutBraces(request, sender)},${JSON.stringify(outcome).slice(1, -1)}`,
    true,
  );
}
