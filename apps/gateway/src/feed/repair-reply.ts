import type { RepairReply } from '@starling/bus';

/**
 * Whether whoever answered knows the conversation up to `to`, which a message or a head has told of. A store may be
 * behind for a moment after MongoDB has changed its primary: what it does not answer is not there yet, and to be asked
 * for again. One of the version before does not say, and is believed.
 */
export function knowsUpTo(to: number, { head }: RepairReply): boolean {
  return head === undefined || head >= to;
}
