--[[
  End the interest of a gateway in logs. A topic without an entry ends with the last interest.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 gateway
    2 bases    of the logs

  Returns the number of logs.
]]

--- @include "forget_topic"
--- @include "remove_interest"

local gateway, bases = unpack(cmsgpack.unpack(ARGV[1]))
for _, base in ipairs(bases) do
  remove_interest(base, gateway)
  if string.sub(base, 1, 2) == 't/' then
    redis.call('HDEL', tag .. '/' .. base .. '/subscribers', gateway)
    forget_topic(base)
  end
end
return #bases
