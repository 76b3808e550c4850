import { encodeId } from '@starling/protocol';

/**
 * Users are spread over so many groups of keys. A script sees one group, whose keys have one hash tag, so that they are
 * on one node of a Redis cluster, and different groups on different ones. Fixed: another number would find nobody.
 */
export const SHARDS = 16;

/** What one group consists of; a session is named by `memberOf`. */
const PARTS = [
  // hash, session → record, see `recordOf`
  'sessions',
  // sorted set, session → when its lease ends, by the group's clock
  'leases',
  // sorted set without scores, so that a user's sessions stand side by side
  'by-user',
  // hash, user → number of sessions
  'users',
  // hash, session → record, of those that ended and that no reap has answered
  'ended',
  // hash, see CLOCK in redis-session-scripts.ts
  'clock',
  // hash, displaced session → record of the one that displaced it
  'displaced',
  // sorted set, displaced session → when that is forgotten unless its gateway renews it, by the group's clock
  'displaced-leases',
  // set, sessions whose gateway has stopped and whose user has not come back
  'left',
] as const;

/** KEYS of every script. */
export function keysOf(prefix: string, shard: number): string[] {
  return PARTS.map((part) => `${prefix}:presence:{${prefix}.${shard}}:${part}`);
}

export function shardOf(userId: string): number {
  let hash = 5381;
  for (let i = 0; i < userId.length; i++) hash = (Math.imul(hash, 33) ^ userId.charCodeAt(i)) >>> 0;
  return hash % SHARDS;
}

/** Begins the names of all sessions of the user, and of nobody else's. */
export function userPart(userId: string): string {
  return `${encodeId(userId)}.`;
}

export function memberOf(userId: string, sessionId: string): string {
  return userPart(userId) + encodeId(sessionId);
}
