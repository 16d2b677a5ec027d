--- @include "tag"

-- Set the time (ms) at which a user was last connected. It never decreases.
local function set_last_seen(base, at)
  local key = tag .. '/' .. base
  if at > tonumber(redis.call('HGET', key, 'seen') or '0') then
    redis.call('HSET', key, 'seen', at)
  end
end
