--- @include "tag"
--- @include "decimal"
--- @include "publish"

local KEPT_HOLES = 10000
-- Most positions that one call removes from the holes of a log.
local STEP = 1000

-- Keep retired positions apart from other holes, and remove the times of marks there. Returns the log's changes.
local function keep_retired(base, retired)
  if #retired == 0 then return 0 end
  local key = tag .. '/' .. base
  table.sort(retired)
  local members, fields = {}, {}
  for i, position in ipairs(retired) do
    local number = decimal(position)
    members[2 * i - 1], members[2 * i] = number, number
    for _, kind in ipairs({ 's', 'r', 'a', 'u' }) do fields[#fields + 1] = kind .. number end
  end
  redis.call('ZADD', key .. '/retired', unpack(members))
  if string.sub(base, 1, 2) == 'u/' then redis.call('HDEL', key .. '/times/' .. base, unpack(fields)) end
  local last = tonumber(redis.call('HGET', key, 'retired') or '0')
  redis.call('HSET', key, 'retired', math.max(last, retired[#retired]))
  return redis.call('HINCRBY', key, 'changes', #retired)
end

-- Raise the floor to just below the first entry. Returns the floor, and whether it has to be raised further.
local function raise_floor(base)
  local key = tag .. '/' .. base
  local known = redis.call('HMGET', key, 'head', 'floor')
  local floor = tonumber(known[2] or '0')
  local first = redis.call('XRANGE', key .. '/log', '-', '+', 'COUNT', 1)[1]
  local target = tonumber(known[1] or '0')
  if first then target = tonumber(string.match(first[1], '^%d+')) - 1 end
  if target <= floor then return floor, false end
  local passed = redis.call('ZRANGE', key .. '/retired', '-inf', target, 'BYSCORE', 'LIMIT', 0, STEP)
  local more = #passed == STEP
  if more then target = tonumber(passed[STEP]) end
  if #passed > 0 then
    redis.call('ZREM', key .. '/holes', unpack(passed))
    redis.call('ZREM', key .. '/retired', unpack(passed))
  end
  redis.call('HSET', key, 'floor', target)
  return target, more
end

-- Remove the oldest of too many holes below the floor. Returns whether there are more.
local function trim_holes(base, floor)
  local holes = tag .. '/' .. base .. '/holes'
  local extra = redis.call('ZCOUNT', holes, '-inf', floor) - KEPT_HOLES
  if extra > 0 then redis.call('ZREMRANGEBYRANK', holes, 0, math.min(extra, STEP) - 1) end
  return extra > STEP
end

-- The entries at these positions were removed for their age: raise the floor, and publish the removal. Returns whether
-- there is more to do. `write_feeds` must follow.
local function end_retirement(base, retired)
  local changes = keep_retired(base, retired)
  local floor, more = raise_floor(base)
  if #retired > 0 then publish(base, { 'x', base, retired, changes, floor, retired[#retired] }) end
  return trim_holes(base, floor) or more
end
