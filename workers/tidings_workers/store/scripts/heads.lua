--[[
  Find the logs of which a gateway has not received every entry or change, and renew its interest in all of them.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 gateway
    2 logs     {base, position, changes} each, as the gateway has them

  Returns {behind, changed}. The indexes count from 1.
    behind   index, head of each log whose head is above the position, or below it: data was lost
    changed  indexes of the logs whose number of changes is another one
]]

--- @include "add_interest"

local gateway, logs = unpack(cmsgpack.unpack(ARGV[1]))
local behind, changed, bases = {}, {}, {}
for i, log in ipairs(logs) do
  local base, position, changes = unpack(log)
  local key = tag .. '/' .. base
  bases[i] = base
  local facts = redis.call('HMGET', key, 'head', 'changes')
  local head = tonumber(facts[1] or '0')
  if head ~= position then
    behind[#behind + 1] = i
    behind[#behind + 1] = head
  end
  if tonumber(facts[2] or '0') ~= changes then changed[#changed + 1] = i end
end
add_interest(gateway, bases)
return { behind, changed }
