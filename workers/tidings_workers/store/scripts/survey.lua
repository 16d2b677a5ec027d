--[[
  Count the entries of the logs of one user, in sets of positions. Expired entries are removed first, so that holes are
  the only positions without an entry. At most 200 of a log are removed per call; the remaining ones are subtracted from
  the numbers and added to `changes`, but are still included in the numbers per category.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 by_category  also count by category
    2 first        which entry of the last set of each log the caller wants the time of: 'newest', 'oldest' or ''
    3 category     of that entry: a name, a prefix that ends in a dot, or '' for any
    4 every_fact   return the facts of all logs; else only those of the first one
    5 bases        of the logs
    6 count        of the sets of each log
    7 heads        where the caller knows the time of the entry there: the head of each log, or 0; or no heads
    8 sets         of positions, in one flat list, because a user may have a thousand logs. Per log one of these:
                   - 0, after, up_to: each of its sets is this one interval;
                   - 1, then each set as the number of its boundaries and the boundaries (see contains.lua), where -1
                     is the same set as the one before.
                   They may exceed the log at either end. The first set of a log is what belongs to the user

  Returns packed {version, numbers, categories, facts}
    version     the positions that the logs ever had in the first sets, and the changes of the logs
    numbers     of entries in the other sets, the sum over the logs: of the second ones, of the third ones ...
    categories  category, numbers as above, next category ...
    facts       head, floor, changes of the first log and the time (ms) of its entry, or 0; of the next log ...
                The time of the entry at the head is negative: -1 for one that the caller knows
]]

--- @include "tag"
--- @include "entry_id"
--- @include "id_time"

-- A command costs as much as a look at this number of keys or more.
local LOGS_PER_LOOK = 16

local by_category, first, category, every_fact, bases, count, heads, sets =
  unpack(cmsgpack.unpack(ARGV[1]))
local call, keys = redis.call, {} -- keys: of the logs
local version, numbers, facts, nothing = 0, {}, {}, {}
local by_name, names = {}, {} -- the numbers of each category, and the categories in order
for set = 1, count - 1 do numbers[set] = 0 end

-- Whether any of these logs may have entries that expire: most have none.
local function may_expire(from, to)
  local found = {}
  for log = from, to do
    local key = tag .. '/' .. bases[log]
    keys[log], found[log - from + 1] = key, key .. '/expiring'
  end
  return call('EXISTS', unpack(found)) > 0
end

-- The functions for logs with holes, with entries that expire and for categories. They take longer to make than most logs
-- to survey, so a call makes them when it has such a log.
local function make_special()
  --- @include "decimal"
  --- @include "contains"
  --- @include "categories"
  --- @include "expire_before_counting"

  -- Above this number of intervals, comparing with each member is cheaper when there are few members.
  local MANY_INTERVALS = 8

  local function count_by_members(key, bounds, above_low, high)
    local found = redis.call('ZRANGE', key, above_low, high, 'BYSCORE', 'WITHSCORES')
    local sum, bound = 0, 1
    for i = 2, #found, 2 do
      local position = tonumber(found[i])
      while bound < #bounds and bounds[bound + 1] < position do bound = bound + 2 end
      if bound < #bounds and bounds[bound] < position then sum = sum + 1 end
    end
    return sum
  end

  -- The number of members of a sorted set of positions that are in a set, after low and up to high.
  local function count_members(key, bounds, low, high)
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

  -- Add to the numbers of a category.
  local function add(name, set, number)
    local sums = by_name[name]
    if not sums then
      sums = {}
      by_name[name] = sums
      names[#names + 1] = name
    end
    sums[set] = (sums[set] or 0) + number
  end

  local function count_categories(key, set, bounds, floor, head)
    for _, name in ipairs(call('ZRANGE', key .. '/categories', 0, -1)) do
      add(name, set, count_members(key .. '/in/' .. name, bounds, floor, head))
    end
  end

  -- The number of positions of a set that are holes or expired.
  local function missing(key, bounds, expired, floor, head)
    local number = count_members(key .. '/holes', bounds, floor, head)
    for _, entry in ipairs(expired) do
      if contains(bounds, tonumber(entry)) then number = number + 1 end
    end
    return number
  end

  -- The entry after < p <= up_to that the caller wants.
  local function entry_of(key, categories, after, up_to)
    if categories then
      local position = positions_in(key, categories, after, up_to, 1, first == 'newest')[1]
      return position and call('XRANGE', key .. '/log', position, position)[1]
    elseif first == 'newest' then
      return call('XREVRANGE', key .. '/log', up_to, after + 1, 'COUNT', 1)[1]
    end
    return call('XRANGE', key .. '/log', after + 1, up_to, 'COUNT', 1)[1]
  end

  -- The time of the entry of the set with these indexes that the caller wants, 0 without one.
  local function time_of(key, from, to)
    local categories = category ~= '' and categories_of(key, category)
    local start, stop, step = from, to - 1, 2
    if first == 'newest' then start, stop, step = to - 1, from, -2 end
    for i = start, stop, step do
      local entry = entry_of(key, categories, sets[i], sets[i + 1])
      if entry then return id_time(entry_id(entry[2])) end
    end
    return 0
  end

  return {
    count_categories = count_categories, expire = expire_before_counting, missing = missing, time_of = time_of,
    write_feeds = write_feeds,
  }
end

local special
local function functions()
  special = special or make_special()
  return special
end

-- The number of positions of the set with these indexes in `sets` that are after low and up to high.
local function size(from, to, low, high)
  local sum = 0
  for i = from, to, 2 do
    local after, up_to = sets[i], sets[i + 1]
    if after < low then after = low end
    if up_to > high then up_to = high end
    if up_to > after then sum = sum + up_to - after end
  end
  return sum
end

-- A part of `sets` as a list. It may be too long for `unpack`.
local function bounds_of(from, to)
  local bounds = {}
  for i = from, to do bounds[i - from + 1] = sets[i] end
  return bounds
end

-- The first or the newest position of a set that is after low and up to high, in a log without holes.
local function position_in(from, to, low, high)
  if first == 'newest' then
    for i = to - 1, from, -2 do
      local after, up_to = sets[i], sets[i + 1]
      if up_to > high then up_to = high end
      if up_to > after then return up_to end
    end
  end
  for i = from, to, 2 do
    local after, up_to = sets[i], sets[i + 1]
    if after < low then after = low end
    if up_to > after then return after + 1 end
  end
end

-- The time of an entry of a log, negative if it is at the head.
local function time_at(log, position, head)
  if position == head and heads[log] == head then return -1 end
  local entry = call('XRANGE', keys[log] .. '/log', position, position)[1]
  local time = entry and id_time(entry_id(entry[2])) or 0
  return position == head and -time or time
end

local at, place = 1, 1 -- in `sets` and in `facts`
local function survey(log, expires)
  local key = keys[log]
  local expired = expires and functions().expire(bases[log]) or nothing
  local known = call('HMGET', key, 'head', 'floor', 'changes')
  local head, floor, changes = tonumber(known[1] or 0), tonumber(known[2] or 0), (known[3] or 0) + #expired
  -- Each removal of an entry is a change of its log.
  local holes = changes > 0 and call('EXISTS', key .. '/holes') == 1

  local one = sets[at] == 0
  local from, to, number = at + 1, at + 2, nil
  at = one and at + 3 or at + 1
  for set = 0, count - 1 do
    if not one then
      local length = sets[at]
      at = at + 1
      if length >= 0 then
        from, to, number = at, at + length - 1, nil
        at = at + length
      end
    end
    if set == 0 then
      version = version + size(from, to, 0, head) + changes
    else
      local bounds = (holes or by_category) and bounds_of(from, to)
      if not number then
        number = size(from, to, floor, head)
        if holes then number = number - functions().missing(key, bounds, expired, floor, head) end
      end
      numbers[set] = numbers[set] + number
      if by_category then functions().count_categories(key, set, bounds, floor, head) end
    end
  end

  if every_fact or place == 1 then
    local first_at = 0
    if first ~= '' and number > 0 then
      if holes or category ~= '' then
        first_at = functions().time_of(key, from, to)
      else
        first_at = time_at(log, position_in(from, to, floor, head), head)
      end
    end
    facts[place], facts[place + 1], facts[place + 2], facts[place + 3] = head, floor, changes, first_at
    place = place + 4
  end
end

for from = 1, #bases, LOGS_PER_LOOK do
  local to = math.min(from + LOGS_PER_LOOK - 1, #bases)
  local expires = may_expire(from, to)
  for log = from, to do survey(log, expires) end
end
if special then special.write_feeds() end

local categories = {}
for _, name in ipairs(names) do
  categories[#categories + 1] = name
  for set = 1, #numbers do categories[#categories + 1] = by_name[name][set] or 0 end
end
return cmsgpack.pack({ version, numbers, categories, facts })
