--[[
  Replace a field of a hash of the registry, if it still has the value that the caller read.

  KEYS[1]  the hash
  KEYS[2]  version of the registry
  ARGV[1]  field
  ARGV[2]  expected value, '' for no field
  ARGV[3]  new value, '' to delete the field

  Returns 1 when the field has the new value, replaced now or by an earlier call; 0 when it has another one.
]]

--- @include "raise_registry_version"

local hash, version = unpack(KEYS)
local field, expected, new = unpack(ARGV)
local current = redis.call('HGET', hash, field) or ''
if current == new then return 1 end
if current ~= expected then return 0 end
if new == '' then
  redis.call('HDEL', hash, field)
else
  redis.call('HSET', hash, field, new)
end
raise_registry_version(version)
return 1
