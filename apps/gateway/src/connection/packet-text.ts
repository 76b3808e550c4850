import { PROTOCOL_VERSION } from '@starling/protocol';

const HEAD = `{"version":${PROTOCOL_VERSION},"command":`;

/** A packet's JSON text. Every packet this server writes begins with its version and command, in this order. */
export function packetText(command: number, fields: Readonly<Record<string, unknown>> = {}): string {
  const rest = JSON.stringify(fields);
  return rest === '{}' ? `${HEAD}${command}}` : `${HEAD}${command},${rest.slice(1)}`;
}

/** The command of a text that `packetText` or another gateway's began. */
export function commandOfText(packet: string): number {
  const command = packet.startsWith(HEAD)
    ? Number.parseInt(packet.slice(HEAD.length, HEAD.length + 20), 10)
    : NaN;
  if (Number.isNaN(command)) throw new Error('a packet that does not begin with its version and command');
  return command;
}
