-- A gateway holds connections of these logs from now on. ARGV[1]: packed {gateway, bases}.
-- Interest first, then the head: what comes after is in the feed. Answers per base {head, floor, holes,
-- changes}.
local request = cmsgpack.unpack(ARGV[1])
local answer = {}
for i, base in ipairs(request[2]) do
  local key = KEYS[1] .. '/' .. base
  redis.call('SADD', key .. '/gateways', request[1])
  local facts = redis.call('HMGET', key, 'head', 'floor', 'changes')
  answer[i] = { facts[1] or 0, facts[2] or 0, holes(key), facts[3] or 0 }
end
return answer
