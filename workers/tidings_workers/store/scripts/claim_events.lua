--[[
  Hand events out to a consumer: first those that were handed out before and not acknowledged in time. Its position was
  set by waiting_events.lua.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 tenant
    2 consumer
    3 limit     of numbers
    4 types     with a space before and behind each, '' for all
    5 held      ms in which the events have to be acknowledged
    6 kept      ms after which the store forgets a consumer that reads nothing

  Returns {wish, more, events}, as read_events.lua does. The first event is a notice if numbers were lost: of the type
  'events_lost', with their count as its data and the last of them as its numbers. It is held until it is acknowledged, as
  'lost <Unix ms> <last number> <count>'.
]]

--- @include "interest"
--- @include "now_ms"
--- @include "event_part"

-- How many entries one call looks at.
local MOST_ENTRIES = 1000

local tenant, consumer, limit, types, held, kept = unpack(cmsgpack.unpack(ARGV[1]))
local key = tag .. '/event-log/' .. tenant
local taken_key, held_key = key .. '/taken/' .. consumer, key .. '/held/' .. consumer
local wish = redis.call('HGET', interest, 'events/' .. tenant) or ''
local now = now_ms()
local deadline = now + held
local lost, last_lost, more, events = 0, 0, 0, {}

local function add_lost(count, last)
  -- The notice is one of the events.
  if lost == 0 then limit = limit - 1 end
  lost, last_lost = lost + count, math.max(last_lost, last)
end

-- Take notices that were not acknowledged in time. A single one stays as it is; several become one.
local function take_notices(due)
  for _, member in ipairs(due) do
    local _, last, count = string.match(member, '^lost (%d+) (%d+) (%d+)$')
    add_lost(tonumber(count), tonumber(last))
    redis.call('ZREM', held_key, member)
  end
  return #due == 1 and { due[1], lost } or nil
end

-- Events that were not acknowledged in time. Those next to each other in an entry are one part.
local function take_again(due)
  local entry, first, last, from, to
  local function flush()
    if from then events[#events + 1] = event_part(entry, from, to) end
    from = nil
  end
  table.sort(due, function(a, b) return tonumber(a) < tonumber(b) end)
  for _, member in ipairs(due) do
    local number = tonumber(member)
    if not entry or number > last then
      flush()
      entry = redis.call('XRANGE', key, member, '+', 'COUNT', 1)[1]
      if entry then first, last = numbers_of(entry) else first, last = number + 1, number end
    end
    if number < first then
      -- The bounds of the stream removed it.
      redis.call('ZREM', held_key, member)
      add_lost(1, number)
      entry = nil
    else
      redis.call('ZADD', held_key, deadline, member)
      if from and number == to + 1 then
        to = number
      else
        flush()
        from, to = number, number
      end
      limit = limit - 1
    end
  end
  flush()
end

local function take_new()
  local head = tonumber(redis.call('HGET', key .. '/facts', 'number') or '0')
  local at = tonumber(redis.call('GET', taken_key) or '0')
  if at < head then
    local found = redis.call('XRANGE', key, at + 1, '+', 'COUNT', MOST_ENTRIES)
    for _, entry in ipairs(found) do
      local first, last = numbers_of(entry)
      if first > at + 1 then
        if lost == 0 and limit == 0 then break end
        add_lost(first - 1 - at, first - 1)
        at = first - 1
      end
      if types == '' or string.find(types, ' ' .. entry[2][2] .. ' ', 1, true) then
        if limit == 0 then break end
        local up_to = math.min(last, at + limit)
        events[#events + 1] = event_part(entry, at + 1, up_to)
        for number = at + 1, up_to do redis.call('ZADD', held_key, deadline, decimal(number)) end
        limit = limit - (up_to - at)
        at = up_to
        if at < last then break end
      else
        at = last
      end
    end
    if #found == 0 and (lost > 0 or limit > 0) then
      add_lost(head - at, head)
      at = head
    end
  end
  if at < head then more = 1 end
  redis.call('SET', taken_key, decimal(at), 'PX', kept)
  redis.call('PEXPIRE', held_key, kept)
end

local notices, numbers = {}, {}
for _, member in ipairs(redis.call('ZRANGE', held_key, '-inf', now, 'BYSCORE', 'LIMIT', 0, limit)) do
  local list = string.sub(member, 1, 5) == 'lost ' and notices or numbers
  list[#list + 1] = member
end
local unchanged = take_notices(notices)
take_again(numbers)
take_new()
if lost > 0 then
  local notice = 'lost ' .. decimal(now) .. ' ' .. decimal(last_lost) .. ' ' .. decimal(lost)
  if unchanged and unchanged[2] == lost then notice = unchanged[1] end
  redis.call('ZADD', held_key, deadline, notice)
  redis.call('PEXPIRE', held_key, kept)
  local at, last, count = string.match(notice, '^lost (%d+) (%d+) (%d+)$')
  table.insert(events, 1, { last, last, 'events_lost', count, at, '' })
end
return { wish, more, events }
