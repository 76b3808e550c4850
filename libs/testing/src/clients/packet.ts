/** A packet as it stands in JSON; `undefined` fields are left out. */
export interface Packet {
  version: number;
  command: number;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read fields that the server may have got wrong
  [field: string]: any;
}

/** Longer texts are shortened: errors of the suites name packets. */
export function show(packet: unknown): string {
  const text = JSON.stringify(packet) ?? String(packet);
  return text.length > 400 ? `${text.slice(0, 400)}… (${text.length})` : text;
}
