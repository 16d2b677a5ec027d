-- Which of these logs went on without us? ARGV[1]: packed {gateway, {{base, position}}}. Answers the
-- numbers (from 1) of those whose head is higher; negative for a head that is lower, which means that
-- data was lost. Interest is renewed on the way.
local request = cmsgpack.unpack(ARGV[1])
local behind = {}
for i, item in ipairs(request[2]) do
  local key = KEYS[1] .. '/' .. item[1]
  redis.call('SADD', key .. '/gateways', request[1])
  local head = tonumber(redis.call('HGET', key, 'head') or '0')
  if head > item[2] then
    behind[#behind + 1] = i
  elseif head < item[2] then
    behind[#behind + 1] = -i
  end
end
return behind
