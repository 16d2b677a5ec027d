--[[
  Find the positions of times in logs.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed {base of the log, ms} each

  Returns per log the position of the first entry that was accepted at that time or later, or the head + 1. Entries are
  in the order in which they were accepted, except copies that were stored late: the caller allows for these.
]]

--- @include "tag"
--- @include "entry_id"
--- @include "id_time"

-- When the first entry from a position on was accepted, nil without one.
local function time_at(key, position)
  local entry = redis.call('XRANGE', key .. '/log', position, '+', 'COUNT', 1)[1]
  return entry and id_time(entry_id(entry[2]))
end

local answer = {}
for i, part in ipairs(cmsgpack.unpack(ARGV[1])) do
  local base, wanted = unpack(part)
  local key = tag .. '/' .. base
  local known = redis.call('HMGET', key, 'head', 'floor')
  local low, high = tonumber(known[2] or '0') + 1, tonumber(known[1] or '0') + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    local time = time_at(key, middle)
    if not time or time >= wanted then high = middle else low = middle + 1 end
  end
  answer[i] = low
end
return answer
