--[[
  Find the logs of which a gateway has not received every entry or change, and renew its interest in all of them.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 gateway
    2 logs     {base, position, changes} each, as the gateway has them

  Returns {behind, changed}, indexes into `logs` from 1 on: the logs whose head is above the position, negative where
  it is below (data was lost), and the logs whose number of changes is another one.
]]

--- @include "tag"

local gateway, logs = unpack(cmsgpack.unpack(ARGV[1]))
local behind, changed = {}, {}
for i, log in ipairs(logs) do
  local base, position, changes = unpack(log)
  local key = tag .. '/' .. base
  redis.call('SADD', key .. '/gateways', gateway)
  local facts = redis.call('HMGET', key, 'head', 'changes')
  local head = tonumber(facts[1] or '0')
  if head > position then
    behind[#behind + 1] = i
  elseif head < position then
    behind[#behind + 1] = -i
  end
  if tonumber(facts[2] or '0') ~= changes then changed[#changed + 1] = i end
end
return { behind, changed }
