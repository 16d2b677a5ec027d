--[[
  Remove sends from the list of a tenant: the archive has them.

  KEYS[1]  hash tag of the partition
  ARGV[1]  tenant
  ARGV[2]  packed ids of entries of the list, in order; none when no further send is too old

  Returns the number of entries that were removed.
]]

--- @include "tag"
--- @include "note_removed"

local tenant, entries = ARGV[1], cmsgpack.unpack(ARGV[2])
if #entries == 0 then
  redis.call('ZREM', tag .. '/archivable', 's/' .. tenant)
  return 0
end
note_removed(tenant, entries[#entries])
return redis.call('XDEL', tag .. '/sent/' .. tenant, unpack(entries))
