import { createHash } from 'node:crypto';

/** KEYS are `keysOf`; ARGV[1] is the length of a lease in milliseconds. */
export interface SessionScript {
  readonly text: string;
  readonly sha: string;
}

/**
 * `now` is that of the group's own clock, which goes on by at most a third of a lease from one look to the next, however
 * long Redis or all presence services were away: the time in which nobody could renew ends no lease. It looks at the
 * clock of Redis, so that services agree; and does not follow it when that is set.
 */
const CLOCK = `
local lease = tonumber(ARGV[1])
local time = redis.call('TIME')
local wall = time[1] * 1000 + math.floor(time[2] / 1000)
local clock = redis.call('HMGET', KEYS[6], 'wall', 'now')
local passed = wall - (tonumber(clock[1]) or wall)
if passed < 0 then passed = 0 end
if passed > lease / 3 then passed = math.floor(lease / 3) end
local now = (tonumber(clock[2]) or wall) + passed
redis.call('HSET', KEYS[6], 'wall', string.format('%.0f', wall), 'now', string.format('%.0f', now))
`;

/** Everything else in a script sees only sessions whose leases last. */
const CHANGES = `
local function userOf(session)
  return string.sub(session, 1, string.find(session, '.', 1, true))
end

local function drop(session)
  redis.call('HDEL', KEYS[1], session)
  redis.call('ZREM', KEYS[2], session)
  redis.call('ZREM', KEYS[3], session)
  local user = userOf(session)
  if redis.call('HINCRBY', KEYS[4], user, -1) <= 0 then redis.call('HDEL', KEYS[4], user) end
end

local function put(session, record)
  redis.call('ZADD', KEYS[2], string.format('%.0f', now + lease), session)
  if redis.call('HSETNX', KEYS[1], session, record) == 0 then return end
  redis.call('ZADD', KEYS[3], 0, session)
  redis.call('HINCRBY', KEYS[4], userOf(session), 1)
  redis.call('HDEL', KEYS[5], session)
end

for _, session in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now))) do
  redis.call('HSET', KEYS[5], session, redis.call('HGET', KEYS[1], session))
  drop(session)
end
`;

function script(body: string): SessionScript {
  const text = `${CLOCK}${CHANGES}${body}`;
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/** ARGV: session, record, most sessions of the user. Answers 0 when there are that many others. */
export const OPEN = script(`
local session = ARGV[2]
local others = tonumber(redis.call('HGET', KEYS[4], userOf(session)) or '0')
if redis.call('HEXISTS', KEYS[1], session) == 0 and others >= tonumber(ARGV[4]) then return 0 end
put(session, ARGV[3])
return 1
`);

/** ARGV: session. */
export const CLOSE = script(`
if redis.call('HEXISTS', KEYS[1], ARGV[2]) == 1 then drop(ARGV[2]) end
`);

/** ARGV: session, record, session, record … */
export const RENEW = script(`
for i = 2, #ARGV, 2 do put(ARGV[i], ARGV[i + 1]) end
`);

/** ARGV: how the user's sessions begin, and what follows the last of them. Answers records. */
export const SESSIONS_OF = script(`
local records = {}
for _, session in ipairs(redis.call('ZRANGEBYLEX', KEYS[3], '[' .. ARGV[2], '(' .. ARGV[3])) do
  records[#records + 1] = redis.call('HGET', KEYS[1], session)
end
return records
`);

/** Answers the records of those that ended, once. */
export const REAP = script(`
local records = redis.call('HVALS', KEYS[5])
redis.call('DEL', KEYS[5])
return records
`);

/** Answers the numbers of sessions and of users. */
export const COUNT = script(`
return { redis.call('HLEN', KEYS[1]), redis.call('HLEN', KEYS[4]) }
`);
