--[[
  Read events after a number.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 tenant
    2 after   the number, -1 for the first kept event
    3 limit   of numbers
    4 types   with a space before and behind each, '' for all

  Returns {wish, last number that was looked at, count of numbers that were lost, more, events}. `more` is 1 when there
  are later numbers. Each event is {first number, last number, type, data, Unix ms, log and positions or ''}: see
  event_part.lua.
]]

--- @include "interest"
--- @include "event_part"

-- How many entries one call looks at.
local MOST_ENTRIES = 1000

local tenant, after, limit, types = unpack(cmsgpack.unpack(ARGV[1]))
local key = tag .. '/event-log/' .. tenant
local wish = redis.call('HGET', interest, 'events/' .. tenant) or ''
local head = tonumber(redis.call('HGET', key .. '/facts', 'number') or '0')
local lost, events = 0, {}
local at = after
local found = redis.call('XRANGE', key, after + 1, '+', 'COUNT', MOST_ENTRIES)
for _, entry in ipairs(found) do
  local first, last = numbers_of(entry)
  if first > at + 1 then
    if at >= 0 then lost = lost + first - 1 - at end
    at = first - 1
  end
  if types == '' or string.find(types, ' ' .. entry[2][2] .. ' ', 1, true) then
    if limit == 0 then break end
    local up_to = math.min(last, at + limit)
    events[#events + 1] = event_part(entry, at + 1, up_to)
    limit = limit - (up_to - at)
    at = up_to
    if at < last then break end
  else
    at = last
  end
end
if #found == 0 and head > at then
  if at >= 0 then lost = head - at end
  at = head
end
return { wish, math.max(at, 0), lost, at < head and 1 or 0, events }
