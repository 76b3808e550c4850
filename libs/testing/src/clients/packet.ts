/** A packet as it stands in JSON; `undefined` fields are left out. */
export interface Packet {
  version: number;
  command: number;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read fields that the server may have got wrong
  [field: string]: any;
}

/** Longer texts are shortened, around the middle: the fields of an answer, such as its code, come last. */
export function show(packet: unknown): string {
  const text = JSON.stringify(packet) ?? String(packet);
  return text.length > 500 ? `${text.slice(0, 150)} … ${text.slice(-350)} (${text.length})` : text;
}
