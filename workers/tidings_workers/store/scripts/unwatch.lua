--[[
  End the interest of a gateway in logs.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 gateway
    2 bases    of the logs

  Returns the number of logs.
]]

--- @include "tag"

local gateway, bases = unpack(cmsgpack.unpack(ARGV[1]))
for _, base in ipairs(bases) do redis.call('SREM', tag .. '/' .. base .. '/gateways', gateway) end
return #bases
