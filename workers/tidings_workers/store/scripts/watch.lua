--[[
  Register the interest of a gateway in logs, then read their facts. Each change after the facts is in the feed of the gateway.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 gateway
    2 bases    of the logs

  Returns the facts of each log (see facts.lua).
]]

--- @include "tag"
--- @include "facts"

local gateway, bases = unpack(cmsgpack.unpack(ARGV[1]))
local answer = {}
for i, base in ipairs(bases) do
  redis.call('SADD', tag .. '/' .. base .. '/gateways', gateway)
  answer[i] = facts(base)
end
write_feeds()
return answer
