--[[
  Create a tenant's next key: k1, k2, ... without gaps. The id of a deleted key is not used again.

  KEYS[1]  hash of tenants
  KEYS[2]  hash of the tenant's keys
  KEYS[3]  hash of key counters
  KEYS[4]  version of the registry
  ARGV[1]  tenant
  ARGV[2]  record of the key

  Returns the id of the key, the same for a repeated call, or '' when there is no such tenant.
]]

--- @include "raise_registry_version"

local tenants, keys, counters, version = unpack(KEYS)
local tenant, record = unpack(ARGV)
if redis.call('HEXISTS', tenants, tenant) == 0 then return '' end
local last = 'k' .. (redis.call('HGET', counters, tenant) or '0')
if redis.call('HGET', keys, last) == record then return last end
local id = 'k' .. redis.call('HINCRBY', counters, tenant, 1)
redis.call('HSET', keys, id, record)
raise_registry_version(version)
return id
