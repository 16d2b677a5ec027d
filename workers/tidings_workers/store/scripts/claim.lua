--[[
  Claim an idempotency key.

  KEYS[1]  hash tag of the partition
  ARGV[1]  the key
  ARGV[2]  value of the claim
  ARGV[3]  life of the claim in ms

  Returns false when the claim is new, else the value of the earlier claim.
]]

--- @include "tag"

local name, value, life = unpack(ARGV)
local key = tag .. '/' .. name
local earlier = redis.call('GET', key)
if earlier then return earlier end
redis.call('SET', key, value, 'PX', life)
return false
