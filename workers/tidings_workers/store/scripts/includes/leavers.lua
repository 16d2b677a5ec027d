--- @include "last_cut"

-- Leavers are kept for a day, for sends with an earlier cut. `/left` orders them by their last leaving, and `/stays`
-- has per user {{joined, left}, ...}.
local KEPT_LEAVERS = 100000
local KEPT_STAYS = 50
-- Above the 1,000 leavers that one call adds, so that the list shrinks.
local PRUNED_LEAVERS = 2000

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
    if stay[2] > left - DAY_US then stays[#stays + 1] = stay end
  end
  stays[#stays + 1] = { joined, left }
  if #stays > KEPT_STAYS then table.remove(stays, 1) end
  redis.call('HSET', key .. '/stays', user, cmsgpack.pack(stays))
  redis.call('ZADD', key .. '/left', left, user)
end

-- Drop the leavers of more than a day ago, and the oldest of too many.
local function prune_leavers(key, now)
  local left = key .. '/left'
  if redis.call('EXISTS', left) == 0 then return end
  drop_leavers(key, redis.call('ZRANGE', left, '-inf', now - DAY_US, 'BYSCORE', 'LIMIT', 0, PRUNED_LEAVERS))
  local extra = math.min(redis.call('ZCARD', left) - KEPT_LEAVERS, PRUNED_LEAVERS)
  if extra > 0 then drop_leavers(key, redis.call('ZRANGE', left, 0, extra - 1)) end
  for _, part in ipairs({ '/left', '/stays' }) do redis.call('PEXPIRE', key .. part, DAY_US / 1000) end
end
