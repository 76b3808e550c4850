import { ErrorCode, type ErrorName } from '@starling/protocol';
import type { ChatClient } from '../clients/chat-client.js';
import { type Packet, show } from '../clients/packet.js';

/** Fails unless the answer is a success; returns it. */
export function accepted(answer: Packet): Packet {
  if (answer['success'] !== true) throw new Error(`refused: ${show(answer)}`);
  return answer;
}

/** Fails unless the answer is a refusal with the code of one of the names. */
export function expectRefusal(answer: Packet, ...names: ErrorName[]): void {
  const codes = names.map((name) => ErrorCode[name].code);
  if (answer['success'] !== false || !codes.includes(answer['errorCode'])) {
    throw new Error(`expected a refusal ${names.join(' or ')} (${codes.join(', ')}), got ${show(answer)}`);
  }
  if (typeof answer['errorMsg'] !== 'string' || answer['errorMsg'] === '') {
    throw new Error(`a refusal without errorMsg: ${show(answer)}`);
  }
  if (/\n\s+at |node_modules|\.[jt]s:\d+/.test(JSON.stringify(answer))) {
    throw new Error(`a refusal with a stack trace: ${show(answer)}`);
  }
}

let fences = 0;

/**
 * Resolves when `receiver` has been delivered a private message that `sender` sent just now, so that what the
 * server sent before that would have arrived too. The way to say "it did not get it" without waiting for time.
 */
export async function fence(sender: ChatClient, receiver: ChatClient): Promise<void> {
  fences += 1;
  const content = `fence ${fences}`;
  accepted(await sender.sendTo(receiver.userId, content));
  await receiver.waitForMessage(content);
}
