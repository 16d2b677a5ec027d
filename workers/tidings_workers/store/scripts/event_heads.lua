--[[
  Read the last number of the events of tenants.

  KEYS[1]  hash tag of the partition
  ARGV     the tenants

  Returns the number of each.
]]

--- @include "tag"

local answer = {}
for i, tenant in ipairs(ARGV) do
  answer[i] = tonumber(redis.call('HGET', tag .. '/event-log/' .. tenant .. '/facts', 'number') or '0')
end
return answer
