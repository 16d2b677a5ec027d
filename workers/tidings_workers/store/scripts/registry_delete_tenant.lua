--[[
  Delete a tenant and all its keys.

  KEYS[1]  hash of tenants
  KEYS[2]  hash of the tenant's keys
  KEYS[3]  version of the registry
  ARGV[1]  tenant

  Returns 1, or 0 when there was no such tenant.
]]

--- @include "raise_registry_version"

local tenants, keys, version = unpack(KEYS)
local removed = redis.call('HDEL', tenants, ARGV[1]) + redis.call('DEL', keys)
if removed == 0 then return 0 end
raise_registry_version(version)
return 1
