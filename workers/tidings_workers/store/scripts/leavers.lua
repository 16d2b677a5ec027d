-- Shared by the scripts that end memberships. A group's clock, `joined`, gives each joining and leaving a number:
-- microseconds, made to rise. A send to several groups keeps the clocks that it read, and reaches who joined at or
-- before such a cut and had not left by it; so whoever leaves is kept for a day in `left` (by the last leaving) and
-- `stays` (user -> {{joined, left}, ...}).
local DAY = 24 * 3600000000
-- cuts.lua notes a cut that has not changed once an hour.
local NOTED = DAY + 3600000000
local KEPT_LEAVERS = 100000
local KEPT_STAYS = 50
local PRUNED = 2000

local function number_of(value) return string.format('%.0f', value) end

local function microseconds()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- The highest clock that a send may still need, 0 for none.
local function last_cut(key, now)
  local known = redis.call('HMGET', key, 'cut', 'cut_at')
  if not known[1] or tonumber(known[2]) + NOTED < now then return 0 end
  return tonumber(known[1])
end

local function drop_leavers(key, users)
  if #users == 0 then return end
  redis.call('ZREM', key .. '/left', unpack(users))
  redis.call('HDEL', key .. '/stays', unpack(users))
end

-- Keep that a user was a member from `joined` until `left`.
local function keep_leaver(key, user, joined, left)
  local packed = redis.call('HGET', key .. '/stays', user)
  local stays = {}
  for _, stay in ipairs(packed and cmsgpack.unpack(packed) or {}) do
    if stay[2] > left - DAY then stays[#stays + 1] = stay end
  end
  stays[#stays + 1] = { joined, left }
  if #stays > KEPT_STAYS then table.remove(stays, 1) end
  redis.call('HSET', key .. '/stays', user, cmsgpack.pack(stays))
  redis.call('ZADD', key .. '/left', number_of(left), user)
end

-- Forget who left more than a day ago, or are too many: more of them per call than one call can add.
local function prune_leavers(key, now)
  local left = key .. '/left'
  if redis.call('EXISTS', left) == 0 then return end
  drop_leavers(key, redis.call('ZRANGE', left, '-inf', number_of(now - DAY), 'BYSCORE', 'LIMIT', 0, PRUNED))
  local extra = math.min(redis.call('ZCARD', left) - KEPT_LEAVERS, PRUNED)
  if extra > 0 then drop_leavers(key, redis.call('ZRANGE', left, 0, extra - 1)) end
  for _, part in ipairs({ '/left', '/stays' }) do redis.call('PEXPIRE', key .. part, DAY / 1000) end
end
