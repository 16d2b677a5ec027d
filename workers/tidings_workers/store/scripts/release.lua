--[[
  End a lease of this partition, if it is still the process's.

  KEYS[1]  hash tag of the partition
  ARGV[1]  part of the key of the lease, as for lease.lua
  ARGV[2]  process

  Returns 1 when it ended, 0 when the process did not have it.
]]

--- @include "tag"

local part, process = unpack(ARGV)
local key = part == 'archiver' and tag .. '/archiver' or tag .. '/lease'
if redis.call('GET', key) == process then return redis.call('DEL', key) end
return 0
