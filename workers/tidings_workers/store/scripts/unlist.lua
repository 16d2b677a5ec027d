--[[
  Remove a user from the leavers and the departures of groups, and from the member lists of deleted ones.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 user
    2 bases  of the groups' logs

  Returns 1.
]]

--- @include "tag"

local user, bases = unpack(cmsgpack.unpack(ARGV[1]))
for _, base in ipairs(bases) do
  local key = tag .. '/' .. base
  redis.call('ZREM', key .. '/left', user)
  redis.call('HDEL', key .. '/stays', user)
  for _, departure in ipairs(redis.call('ZRANGE', key .. '/departed', 0, -1)) do
    if string.match(departure, '^%d+:(.*)$') == user then redis.call('ZREM', key .. '/departed', departure) end
  end
  for _, former in ipairs(redis.call('ZRANGE', key .. '/deleted', 0, -1)) do
    redis.call('ZREM', tag .. '/' .. former, user)
  end
end
return 1
