-- Count in logs. ARGV[1]: packed {{base, queries, by category}, ...}; a query is a set of positions (see
-- contains.lua), which may reach past the log's ends. Answers per log
-- {head, floor, changes, retired, live positions per query, {category, live positions per query, ...}}.
-- What has ended by itself is taken out first, so that holes are all that is missing. Of very much at once
-- some is left for the next time: it does not count, and counts as a change, but by category it is still there.
-- Where there are many intervals and few members, holes mostly, going by the members is cheaper.

--- @include "tag"
--- @include "contains"
--- @include "expire_before_counting"

local MANY = 8

local function by_members(key, bounds, low, high)
  local found = redis.call('ZRANGE', key, '(' .. low, high, 'BYSCORE', 'WITHSCORES')
  local sum, at = 0, 1
  for i = 2, #found, 2 do
    local position = tonumber(found[i])
    while at < #bounds and bounds[at + 1] < position do at = at + 2 end
    if at < #bounds and bounds[at] < position then sum = sum + 1 end
  end
  return sum
end

local function count(key, bounds, low, high)
  if #bounds > 2 * MANY then
    local first, last = string.format('%.0f', low), string.format('%.0f', high)
    if redis.call('ZCOUNT', key, '(' .. first, last) < #bounds / 2 then
      return by_members(key, bounds, first, last)
    end
  end
  local sum = 0
  for i = 1, #bounds, 2 do
    local after, up_to = math.max(bounds[i], low), math.min(bounds[i + 1], high)
    if up_to > after then
      sum = sum + redis.call('ZCOUNT', key, '(' .. string.format('%.0f', after), string.format('%.0f', up_to))
    end
  end
  return sum
end

local function length(bounds, low, high)
  local sum = 0
  for i = 1, #bounds, 2 do
    sum = sum + math.max(0, math.min(bounds[i + 1], high) - math.max(bounds[i], low))
  end
  return sum
end

local answer = {}
for i, part in ipairs(cmsgpack.unpack(ARGV[1])) do
  local base, queries = part[1], part[2]
  local key = tag .. '/' .. base
  local due = expire_before_counting(base)
  local known = redis.call('HMGET', key, 'head', 'floor', 'changes', 'retired')
  local head, floor = tonumber(known[1] or '0'), tonumber(known[2] or '0')
  local live, categories = {}, {}
  for j, bounds in ipairs(queries) do
    live[j] = length(bounds, floor, head) - count(key .. '/holes', bounds, floor, head)
    for _, entry in ipairs(due) do
      if contains(bounds, tonumber(entry)) then live[j] = live[j] - 1 end
    end
  end
  if part[3] then
    for _, category in ipairs(redis.call('ZRANGE', key .. '/categories', 0, -1)) do
      categories[#categories + 1] = category
      for _, bounds in ipairs(queries) do
        categories[#categories + 1] = count(key .. '/in/' .. category, bounds, floor, head)
      end
    end
  end
  answer[i] = { head, floor, tonumber(known[3] or '0') + #due, known[4] or 0, live, categories }
end
write_feeds()
return answer
