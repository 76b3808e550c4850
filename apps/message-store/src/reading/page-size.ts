import type { StoredMessage } from '@starling/bus';

/**
 * What one answer may hold of message bodies, so that no request makes a process hold much more, and so that it passes
 * through NATS, which takes 1 MiB by default: a character costs three bytes there at most.
 */
export const PAGE_CHARACTERS = 1 << 18;

/** In characters, since those are free to count. */
export function sizeOf(message: StoredMessage): number {
  return message.body.length;
}
