--[[
  Read topics.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed bases of their logs

  Returns per topic {head, created at ms, number of subscribed connections}, or false when there is no such topic.
]]

--- @include "tag"
--- @include "is_alive"

local answer = {}
for i, base in ipairs(cmsgpack.unpack(ARGV[1])) do
  local key = tag .. '/' .. base
  local known = redis.call('HMGET', key, 'head', 'created')
  local subscribers = redis.call('HGETALL', key .. '/subscribers')
  local connections = 0
  for at = 1, #subscribers, 2 do
    if is_alive(subscribers[at]) then connections = connections + tonumber(subscribers[at + 1]) end
  end
  answer[i] = known[2] and { known[1] or 0, known[2], connections } or false
end
return answer
