--[[
  Create a tenant.

  KEYS[1]  hash of tenants
  KEYS[2]  hash of key counters
  KEYS[3]  version of the registry
  ARGV[1]  tenant
  ARGV[2]  record of the tenant

  Returns 'made'    the tenant was created, now or by an earlier call with this record
          'exists'  there is a tenant of this name
          'kept'    a deleted tenant of this name had keys: the store may hold its data, which a new owner would read
]]

--- @include "raise_registry_version"

local tenants, counters, version = unpack(KEYS)
local tenant, record = unpack(ARGV)
local current = redis.call('HGET', tenants, tenant)
if current then return current == record and 'made' or 'exists' end
if redis.call('HEXISTS', counters, tenant) == 1 then return 'kept' end
redis.call('HSET', tenants, tenant, record)
raise_registry_version(version)
return 'made'
