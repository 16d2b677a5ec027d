--[[
  End a batch of the archive, after the positions that the archive must not have were removed there.

  KEYS[1]  hash tag of the partition
  ARGV[1]  token of the batch

  Returns 1 when it ended now, 0 when it had ended before.
]]

--- @include "tag"

local packed = redis.call('GET', tag .. '/archiving')
if packed and cmsgpack.unpack(packed)[1] == ARGV[1] then return redis.call('DEL', tag .. '/archiving') end
return 0
