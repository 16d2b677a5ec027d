--[[
  Claim idempotency keys of this partition.

  KEYS[1]  hash tag of the partition
  ARGV[1]  life of the claims in ms; behind it each key and the value of its claim

  Returns for each key the value of the earlier claim, or '' when the claim is new.
]]

--- @include "tag"

local life = ARGV[1]
local earlier = {}
for index = 2, #ARGV, 2 do
  local held = redis.call('SET', tag .. '/' .. ARGV[index], ARGV[index + 1], 'NX', 'GET', 'PX', life)
  earlier[#earlier + 1] = held or ''
end
return earlier
