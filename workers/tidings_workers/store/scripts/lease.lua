--[[
  Take or renew a lease of this partition.

  KEYS[1]  hash tag of the partition
  ARGV[1]  part of the key of the lease: `lease` for a dispatcher, `archiver` for an archiver
  ARGV[2]  process
  ARGV[3]  life of the lease in ms

  Returns 1 when the process has the lease, 0 when another one has it.
]]

--- @include "tag"

local part, process, life = unpack(ARGV)
local key = part == 'archiver' and tag .. '/archiver' or tag .. '/lease'
local owner = redis.call('GET', key)
if owner and owner ~= process then return 0 end
redis.call('SET', key, process, 'PX', life)
return 1
