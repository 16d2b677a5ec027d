--[[
  Take or renew the lease of this partition.

  KEYS[1]  hash tag of the partition
  ARGV[1]  dispatcher
  ARGV[2]  life of the lease in ms

  Returns 1 when the dispatcher has the lease, 0 when another one has it.
]]

--- @include "tag"

local dispatcher, life = unpack(ARGV)
local owner = redis.call('GET', tag .. '/lease')
if owner and owner ~= dispatcher then return 0 end
redis.call('SET', tag .. '/lease', dispatcher, 'PX', life)
return 1
