import type { DevicePolicy, NewSession, SessionRecord } from '@starling/bus';
import { encodeId, Refusal } from '@starling/protocol';
import type { RedisClient, RedisOptions } from '@starling/redis';
import { ErrorReply } from 'redis';
import { keysOf, memberOf, SHARDS, shardOf, userPart } from './redis-session-keys.js';
import {
  CLOSE,
  COUNT,
  LEAVE,
  OPEN,
  REAP,
  RENEW,
  type SessionScript,
  SESSIONS_OF,
} from './redis-session-scripts.js';
import type { Displaced, LoginRules, OpenedSession, SessionRegistry } from './session-registry.js';

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

  async open(session: NewSession, { maxSessions, policy }: LoginRules): Promise<OpenedSession | null> {
    const { userId, sessionId, platform } = session;
    const answer = await this.run(
      OPEN,
      shardOf(userId),
      memberOf(userId, sessionId),
      encodedPlatform(platform),
      JSON.stringify(session),
      String(maxSessions),
      policy,
    );
    if (answer === null) return null;
    const [since, ...displaced] = answer as string[];
    const by = { ...session, since: Number(since) };
    return { since: by.since, displaced: displaced.map((record) => ({ session: parse(record), by })) };
  }

  async close(userId: string, sessionId: string): Promise<void> {
    await this.run(CLOSE, shardOf(userId), memberOf(userId, sessionId));
  }

  async leave(userId: string, sessionId: string): Promise<void> {
    await this.run(LEAVE, shardOf(userId), memberOf(userId, sessionId));
  }

  async renew(sessions: readonly SessionRecord[], policy: DevicePolicy): Promise<Displaced[]> {
    const calls: Promise<unknown>[] = [];
    for (const [shard, its] of Map.groupBy(sessions, ({ userId }) => shardOf(userId))) {
      for (let i = 0; i < its.length; i += RENEWED_AT_ONCE) {
        const batch = its.slice(i, i + RENEWED_AT_ONCE);
        const pairs = batch.flatMap((each) => [memberOf(each.userId, each.sessionId), recordOf(each)]);
        calls.push(this.run(RENEW, shard, policy, ...pairs));
      }
    }
    return (await Promise.all(calls)).flatMap(displacedOf);
  }

  async sessionsOf(userId: string): Promise<SessionRecord[]> {
    return recordsOf(await this.run(SESSIONS_OF, shardOf(userId), userPart(userId)));
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

/** Since when it is, the platform, and the rest as JSON, so that scripts need not read that. */
function recordOf({ since, ...rest }: SessionRecord): string {
  return `${since} ${encodedPlatform(rest.platform)} ${JSON.stringify(rest)}`;
}

/** Without a blank, and empty for none. */
function encodedPlatform(platform: string | null): string {
  return platform === null ? '' : encodeId(platform);
}

function parse(record: string): SessionRecord {
  const json = record.slice(record.indexOf(' ', record.indexOf(' ') + 1) + 1);
  return { ...(JSON.parse(json) as NewSession), since: Number.parseInt(record, 10) };
}

function recordsOf(answer: unknown): SessionRecord[] {
  return (answer as string[]).map(parse);
}

function displacedOf(answer: unknown): Displaced[] {
  const records = recordsOf(answer);
  const displaced: Displaced[] = [];
  for (let i = 0; i < records.length; i += 2) displaced.push({ session: records[i]!, by: records[i + 1]! });
  return displaced;
}
