/** What the servers that Starling is compared with have in common: the packets, and nothing that is kept. */

export interface Packet {
  readonly command: number;
  readonly chatId?: string;
  readonly toUserId?: string;
  readonly [field: string]: unknown;
}

export const Command = { Login: 1, Send: 3, Join: 7 } as const;

/** The answer to a login or join. */
export function succeeded({ command }: Packet): Packet {
  return { version: 1, command: command + 1, success: true, errorMsg: '' };
}

/** By group: nobody keeps messages, so this is all there is to a seq. */
const heads = new Map<string, number>();
let lastMessage = 0;

/** The message as its receivers get it, with the fields that Starling adds; without `isItMe`. */
export function messageFields(packet: Packet): Record<string, unknown> {
  const { version: _version, command: _command, isItMe: _isItMe, ...fields } = packet;
  const group = String(packet.toUserId);
  const seq = (heads.get(group) ?? 0) + 1;
  heads.set(group, seq);
  lastMessage += 1;
  const messageId = `message-of-a-plain-server-${lastMessage}`;
  return { ...fields, success: true, messageId, seq, serverTime: Date.now() };
}

/** Tells the bench that started it where to connect. */
export function announceReady(port: number): void {
  process.stdout.write(`${JSON.stringify({ msg: 'ready', port })}\n`);
}
