--[[
  Release events that a consumer was handed out. A call may be repeated.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 tenant
    2 consumer
    3 members  of what it holds: numbers as text, and notices (see claim_events.lua)

  Returns how many of them were held.
]]

--- @include "tag"

local tenant, consumer, members = unpack(cmsgpack.unpack(ARGV[1]))
local held, count = tag .. '/event-log/' .. tenant .. '/held/' .. consumer, 0
for _, member in ipairs(members) do count = count + redis.call('ZREM', held, member) end
return count
