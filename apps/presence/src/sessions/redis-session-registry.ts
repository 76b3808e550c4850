import type { SessionRecord } from '@starling/bus';
import { Refusal } from '@starling/protocol';
import type { RedisClient, RedisOptions } from '@starling/redis';
import { ErrorReply } from 'redis';
import { keysOf, memberOf, SHARDS, shardOf, userPart } from './redis-session-keys.js';
import { CLOSE, COUNT, OPEN, REAP, RENEW, type SessionScript, SESSIONS_OF } from './redis-session-scripts.js';
import type { SessionRegistry } from './session-registry.js';

/** A login can wait for a restart of Redis, but not for long; then it is refused as UNAVAILABLE. */
export const SESSIONS_CONNECTION: Omit<RedisOptions, 'url'> = {
  purpose: 'sessions',
  whileAway: 'wait',
  timeoutMs: 2_000,
  maxUnanswered: 20_000,
};

/** What Redis answers while it starts, fails over, or is kept busy by a script. */
const NOT_NOW = /^(LOADING|BUSY|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN) /;

/** Sessions renewed by one script, so that no call keeps Redis from its other clients for long. */
const RENEWED_AT_ONCE = 500;

const ALL_SHARDS = Array.from({ length: SHARDS }, (_, shard) => shard);

/**
 * Sessions that all presence services share. Each method is one script for each group of keys concerned, so that none
 * sees another's half-done change, and one round trip. Refusal: UNAVAILABLE while Redis is away.
 *
 * A Redis that lost its data gets it back with the gateways' next renewals; one that was away with it goes on where
 * it stood, since a lease ends only by time in which it could have been renewed (see redis-session-scripts.ts).
 */
export class RedisSessionRegistry implements SessionRegistry {
  private readonly keys: readonly string[][];

  constructor(
    private readonly redis: RedisClient,
    private readonly leaseMs: number,
    prefix: string,
  ) {
    this.keys = ALL_SHARDS.map((shard) => keysOf(prefix, shard));
  }

  async open(session: SessionRecord, maxSessions: number): Promise<boolean> {
    const { userId, sessionId } = session;
    const member = memberOf(userId, sessionId);
    const max = String(maxSessions);
    return (await this.run(OPEN, shardOf(userId), member, JSON.stringify(session), max)) === 1;
  }

  async close(userId: string, sessionId: string): Promise<void> {
    await this.run(CLOSE, shardOf(userId), memberOf(userId, sessionId));
  }

  async renew(sessions: readonly SessionRecord[]): Promise<void> {
    const calls: Promise<unknown>[] = [];
    for (const [shard, its] of Map.groupBy(sessions, ({ userId }) => shardOf(userId))) {
      for (let i = 0; i < its.length; i += RENEWED_AT_ONCE) {
        const batch = its.slice(i, i + RENEWED_AT_ONCE);
        const pairs = batch.flatMap((each) => [memberOf(each.userId, each.sessionId), JSON.stringify(each)]);
        calls.push(this.run(RENEW, shard, ...pairs));
      }
    }
    await Promise.all(calls);
  }

  async sessionsOf(userId: string): Promise<SessionRecord[]> {
    const from = userPart(userId);
    return recordsOf(await this.run(SESSIONS_OF, shardOf(userId), from, after(from)));
  }

  async reap(): Promise<SessionRecord[]> {
    const answers = await Promise.all(ALL_SHARDS.map((shard) => this.run(REAP, shard)));
    return answers.flatMap(recordsOf);
  }

  async count(): Promise<{ sessions: number; users: number }> {
    const answers = await Promise.all(ALL_SHARDS.map((shard) => this.run(COUNT, shard)));
    const counts = answers as [number, number][];
    return {
      sessions: counts.reduce((sum, [sessions]) => sum + sessions, 0),
      users: counts.reduce((sum, [, users]) => sum + users, 0),
    };
  }

  private async run({ sha, text }: SessionScript, shard: number, ...args: string[]): Promise<unknown> {
    const call = { keys: this.keys[shard]!, arguments: [String(this.leaseMs), ...args] };
    try {
      return await this.redis.evalSha(sha, call).catch((error: unknown) => {
        // It forgets scripts when it restarts.
        if (error instanceof ErrorReply && error.message.startsWith('NOSCRIPT'))
          return this.redis.eval(text, call);
        throw error;
      });
    } catch (error) {
      if (error instanceof ErrorReply && !NOT_NOW.test(error.message)) throw error;
      throw new Refusal('UNAVAILABLE');
    }
  }
}

function recordsOf(answer: unknown): SessionRecord[] {
  return (answer as string[]).map((record) => JSON.parse(record) as SessionRecord);
}

/** The first text after all that begin so. */
function after(beginning: string): string {
  const last = beginning.length - 1;
  return beginning.slice(0, last) + String.fromCharCode(beginning.charCodeAt(last) + 1);
}
