--[[
  Set how many connections of a gateway are subscribed to topics.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 gateway
    2 topics   {base, number of connections} each

  Returns the number of topics.
]]

--- @include "tag"

local gateway, topics = unpack(cmsgpack.unpack(ARGV[1]))
for _, topic in ipairs(topics) do
  local base, connections = unpack(topic)
  local key = tag .. '/' .. base
  -- A topic that has ended gets no number.
  if connections > 0 and redis.call('HEXISTS', key, 'created') == 1 then
    redis.call('HSET', key .. '/subscribers', gateway, connections)
  else
    redis.call('HDEL', key .. '/subscribers', gateway)
  end
end
return #topics
