import type { StoredMessage } from '@starling/bus';

/** What one answer may hold of message bodies, so that no request makes a process hold much more. */
export const PAGE_BYTES = 1 << 20;

/** Characters rather than bytes: near enough for a bound, and free. */
export function sizeOf(message: StoredMessage): number {
  return message.body.length;
}
