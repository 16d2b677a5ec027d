-- Forget that a user was in groups. ARGV[1]: packed {user, {base, ...}}.
local request = cmsgpack.unpack(ARGV[1])
local user = request[1]
for _, base in ipairs(request[2]) do
  local key = KEYS[1] .. '/' .. base
  redis.call('ZREM', key .. '/left', user)
  redis.call('HDEL', key .. '/stays', user)
  for _, gone in ipairs(redis.call('ZRANGE', key .. '/deleted', 0, -1)) do
    redis.call('ZREM', KEYS[1] .. '/' .. gone, user)
  end
end
return 1
