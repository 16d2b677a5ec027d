--[[
  Count the entries of logs. Expired entries are removed first, so that holes are the only positions without an entry.
  At most 200 of a log are removed per call; the remaining ones are subtracted from the totals and added to `changes`,
  but are still included in the numbers per category.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed logs:
    1 base         of the log
    2 queries      sets of positions, as boundaries (see contains.lua); they may exceed the log at either end
    3 by_category  also count by category

  Returns per log {head, floor, changes, retired, numbers, categories}
    numbers     of entries, one per query
    categories  category, numbers of entries, one per query, next category, ...
]]

--- @include "tag"
--- @include "decimal"
--- @include "contains"
--- @include "expire_before_counting"

-- Above this number of intervals, comparing with each member is cheaper when there are few members.
local MANY_INTERVALS = 8

local function count_by_members(key, bounds, above_low, high)
  local found = redis.call('ZRANGE', key, above_low, high, 'BYSCORE', 'WITHSCORES')
  local sum, at = 0, 1
  for i = 2, #found, 2 do
    local position = tonumber(found[i])
    while at < #bounds and bounds[at + 1] < position do at = at + 2 end
    if at < #bounds and bounds[at] < position then sum = sum + 1 end
  end
  return sum
end

-- The number of members of a sorted set of positions that are in a set, after low and up to high.
local function count(key, bounds, low, high)
  if #bounds > 2 * MANY_INTERVALS then
    local above_low = '(' .. decimal(low)
    if redis.call('ZCOUNT', key, above_low, high) < #bounds / 2 then
      return count_by_members(key, bounds, above_low, high)
    end
  end
  local sum = 0
  for i = 1, #bounds, 2 do
    local after, up_to = math.max(bounds[i], low), math.min(bounds[i + 1], high)
    if up_to > after then
      sum = sum + redis.call('ZCOUNT', key, '(' .. decimal(after), up_to)
    end
  end
  return sum
end

-- The number of positions in a set, after low and up to high.
local function size(bounds, low, high)
  local sum = 0
  for i = 1, #bounds, 2 do
    sum = sum + math.max(0, math.min(bounds[i + 1], high) - math.max(bounds[i], low))
  end
  return sum
end

local function survey(base, queries, by_category)
  local key = tag .. '/' .. base
  local expired = expire_before_counting(base)
  local known = redis.call('HMGET', key, 'head', 'floor', 'changes', 'retired')
  local head, floor = tonumber(known[1] or '0'), tonumber(known[2] or '0')
  local numbers, categories = {}, {}
  for i, bounds in ipairs(queries) do
    numbers[i] = size(bounds, floor, head) - count(key .. '/holes', bounds, floor, head)
    for _, entry in ipairs(expired) do
      if contains(bounds, tonumber(entry)) then numbers[i] = numbers[i] - 1 end
    end
  end
  if by_category then
    for _, category in ipairs(redis.call('ZRANGE', key .. '/categories', 0, -1)) do
      categories[#categories + 1] = category
      for _, bounds in ipairs(queries) do
        categories[#categories + 1] = count(key .. '/in/' .. category, bounds, floor, head)
      end
    end
  end
  return { head, floor, tonumber(known[3] or '0') + #expired, known[4] or 0, numbers, categories }
end

local answer = {}
for i, log in ipairs(cmsgpack.unpack(ARGV[1])) do answer[i] = survey(unpack(log)) end
write_feeds()
return answer
