--- @include "tag"

-- The positions of a log that were delivered to a user (see contains.lua). `user` is the base of the user's own log.
local function delivered_to(user, log_base)
  local packed = redis.call('HGET', tag .. '/' .. user .. '/delivered', log_base)
  return packed and cjson.decode(packed) or {}
end
