-- What do these logs have that we don't know? ARGV[1]: packed {gateway, {{base, position, changes}}}.
-- Answers the numbers (from 1) of those whose head is higher, negative for a head that is lower, which
-- means that data was lost; and of those that have changed otherwise. Interest is renewed on the way.
local request = cmsgpack.unpack(ARGV[1])
local behind, changed = {}, {}
for i, item in ipairs(request[2]) do
  local key = KEYS[1] .. '/' .. item[1]
  redis.call('SADD', key .. '/gateways', request[1])
  local facts = redis.call('HMGET', key, 'head', 'changes')
  local head = tonumber(facts[1] or '0')
  if head > item[2] then
    behind[#behind + 1] = i
  elseif head < item[2] then
    behind[#behind + 1] = -i
  end
  if tonumber(facts[2] or '0') ~= item[3] then changed[#changed + 1] = i end
end
return { behind, changed }
