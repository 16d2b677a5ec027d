--[[
  End the lease of this partition, if it is still the dispatcher's.

  KEYS[1]  hash tag of the partition
  ARGV[1]  dispatcher

  Returns 1 when it ended, 0 when the dispatcher did not have it.
]]

--- @include "tag"

local dispatcher = ARGV[1]
if redis.call('GET', tag .. '/lease') == dispatcher then return redis.call('DEL', tag .. '/lease') end
return 0
