--[[
  Register the interest of a gateway in logs, then read their facts. Each change after the facts is in the feed of the
  gateway. A topic begins with its first interest.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 gateway
    2 bases    of the logs

  Returns the facts of each log (see facts.lua).
]]

--- @include "add_interest"
--- @include "create_topic"
--- @include "facts"

local gateway, bases = unpack(cmsgpack.unpack(ARGV[1]))
add_interest(gateway, bases)
local answer = {}
for i, base in ipairs(bases) do
  if string.sub(base, 1, 2) == 't/' then create_topic(base) end
  answer[i] = facts(base)
end
write_feeds()
return answer
