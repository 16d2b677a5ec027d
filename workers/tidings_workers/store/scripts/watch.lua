--[[
  Register the interest of a gateway in logs, then read their facts. Each change after the facts is in the feed of the
  gateway. A topic begins with its first interest.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 gateway
    2 bases    of the logs

  Returns the facts of each log (see facts.lua), and behind those of a group its last departures (see keep_departed.lua),
  alternating '<position>:<user>' and number.
]]

--- @include "add_interest"
--- @include "create_topic"
--- @include "facts"

local gateway, bases = unpack(cmsgpack.unpack(ARGV[1]))
add_interest(gateway, bases)
local answer = {}
for i, base in ipairs(bases) do
  local kind = string.sub(base, 1, 2)
  if kind == 't/' then create_topic(base) end
  answer[i] = facts(base)
  if kind == 'g/' then answer[i][7] = redis.call('ZRANGE', tag .. '/' .. base .. '/departed', 0, -1, 'WITHSCORES') end
end
write_feeds()
return answer
