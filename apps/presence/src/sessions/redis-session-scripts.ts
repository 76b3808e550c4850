import { createHash } from 'node:crypto';

/** KEYS are `keysOf`; ARGV[1] is the length of a lease in milliseconds. */
export interface SessionScript {
  readonly text: string;
  readonly sha: string;
}

/**
 * `now` is that of the group's own clock, which goes on by at most a sixth of a lease from one look to the next, however
 * long Redis or all presence services were away: the time in which nobody could renew ends no lease. It looks at the
 * clock of Redis, so that services agree; and does not follow it when that is set.
 */
const CLOCK = `
local lease = tonumber(ARGV[1])
local time = redis.call('TIME')
local wall = time[1] * 1000 + math.floor(time[2] / 1000)
local clock = redis.call('HMGET', KEYS[6], 'wall', 'now', 'since')
local passed = wall - (tonumber(clock[1]) or wall)
if passed < 0 then passed = 0 end
if passed > lease / 6 then passed = math.floor(lease / 6) end
local now = (tonumber(clock[2]) or wall) + passed

local function whole(number)
  return string.format('%.0f', number)
end

redis.call('HSET', KEYS[6], 'wall', whole(wall), 'now', whole(now))
`;

/**
 * Everything else in a script sees only what lasts. Records begin with what decides between sessions: since when they
 * are, and the platform; see `recordOf` in redis-session-registry.ts.
 */
const CHANGES = `
local function userOf(session)
  return string.sub(session, 1, string.find(session, '.', 1, true))
end

local function sinceOf(record)
  return tonumber(string.match(record, '^%d+'))
end

local function platformOf(record)
  return string.match(record, '^%d+ (%S*)')
end

local function touch(session)
  redis.call('ZADD', KEYS[2], whole(now + lease), session)
end

local function drop(session)
  redis.call('HDEL', KEYS[1], session)
  redis.call('ZREM', KEYS[2], session)
  redis.call('ZREM', KEYS[3], session)
  redis.call('SREM', KEYS[9], session)
  local user = userOf(session)
  if redis.call('HINCRBY', KEYS[4], user, -1) <= 0 then redis.call('HDEL', KEYS[4], user) end
end

local function put(session, record)
  touch(session)
  redis.call('HSET', KEYS[1], session, record)
  redis.call('ZADD', KEYS[3], 0, session)
  redis.call('HINCRBY', KEYS[4], userOf(session), 1)
  redis.call('HDEL', KEYS[5], session)
end

local function remember(session, by)
  redis.call('HSET', KEYS[7], session, by)
  redis.call('ZADD', KEYS[8], whole(now + lease), session)
end

local function forget(session)
  redis.call('HDEL', KEYS[7], session)
  redis.call('ZREM', KEYS[8], session)
end

local function sessionsOf(user)
  return redis.call('ZRANGEBYLEX', KEYS[3], '[' .. user, '(' .. string.sub(user, 1, -2) .. '/')
end

local function rivalsOf(session, platform, policy)
  local rivals = {}
  if policy == 'multi' then return rivals end
  for _, other in ipairs(sessionsOf(userOf(session))) do
    local record = redis.call('HGET', KEYS[1], other)
    local isLeft = redis.call('SISMEMBER', KEYS[9], other) == 1
    if other ~= session and not isLeft and (policy == 'single' or platformOf(record) == platform) then
      rivals[#rivals + 1] = { session = other, record = record }
    end
  end
  return rivals
end

-- The one that a session on the platform takes the place of comes first.
local function leftOf(user, platform)
  local left = {}
  if redis.call('SCARD', KEYS[9]) == 0 then return left end
  for _, session in ipairs(sessionsOf(user)) do
    if redis.call('SISMEMBER', KEYS[9], session) == 1 then
      local isAlike = platformOf(redis.call('HGET', KEYS[1], session)) == platform
      table.insert(left, isAlike and 1 or #left + 1, session)
    end
  end
  return left
end

for _, session in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', whole(now))) do
  redis.call('HSET', KEYS[5], session, redis.call('HGET', KEYS[1], session))
  drop(session)
end
for _, session in ipairs(redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', whole(now))) do forget(session) end
`;

function script(body: string): SessionScript {
  const text = `${CLOCK}${CHANGES}${body}`;
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/**
 * ARGV: session, platform, the rest of its record, most sessions of the user, policy. Answers since when it is, and
 * the records of those it displaced; null when there would be too many.
 */
export const OPEN = script(`
local session, platform, rest = ARGV[2], ARGV[3], ARGV[4]
local known = redis.call('HGET', KEYS[1], session)
if known then
  touch(session)
  return { whole(sinceOf(known)) }
end
local rivals = rivalsOf(session, platform, ARGV[6])
local left = leftOf(userOf(session), platform)
local others = tonumber(redis.call('HGET', KEYS[4], userOf(session)) or '0') - #rivals - #left
if others >= tonumber(ARGV[5]) then return false end
local since = whole(math.max(wall, (tonumber(clock[3]) or 0) + 1))
redis.call('HSET', KEYS[6], 'since', since)
local record = since .. ' ' .. platform .. ' ' .. rest
local answer = { since }
for _, rival in ipairs(rivals) do
  drop(rival.session)
  remember(rival.session, record)
  answer[#answer + 1] = rival.record
end
if left[1] then drop(left[1]) end
put(session, record)
return answer
`);

/** ARGV: session. */
export const CLOSE = script(`
if redis.call('HEXISTS', KEYS[1], ARGV[2]) == 1 then drop(ARGV[2]) end
forget(ARGV[2])
`);

/** ARGV: session. */
export const LEAVE = script(`
if redis.call('HEXISTS', KEYS[1], ARGV[2]) == 1 then
  touch(ARGV[2])
  redis.call('SADD', KEYS[9], ARGV[2])
end
`);

/**
 * ARGV: policy, session, record, session, record … Answers the record of each displaced session and that of the one
 * that displaced it, in turns.
 */
export const RENEW = script(`
local policy = ARGV[2]
local lastSince = tonumber(clock[3]) or 0
local answer = {}
local someDisplaced = redis.call('HLEN', KEYS[7]) > 0
for i = 3, #ARGV, 2 do
  local session, record = ARGV[i], ARGV[i + 1]
  if redis.call('HEXISTS', KEYS[1], session) == 1 then
    touch(session)
  else
    local by = someDisplaced and redis.call('HGET', KEYS[7], session)
    local rivals = by and {} or rivalsOf(session, platformOf(record), policy)
    local since = sinceOf(record)
    for _, rival in ipairs(rivals) do
      if sinceOf(rival.record) >= since then by = rival.record end
    end
    if by then
      remember(session, by)
      answer[#answer + 1] = record
      answer[#answer + 1] = by
    else
      for _, rival in ipairs(rivals) do
        drop(rival.session)
        remember(rival.session, record)
        answer[#answer + 1] = rival.record
        answer[#answer + 1] = record
      end
      someDisplaced = someDisplaced or #rivals > 0
      put(session, record)
      lastSince = math.max(lastSince, since)
    end
  end
end
redis.call('HSET', KEYS[6], 'since', whole(lastSince))
return answer
`);

/** ARGV: how the user's sessions begin. Answers records. */
export const SESSIONS_OF = script(`
local records = {}
for _, session in ipairs(sessionsOf(ARGV[2])) do
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
