--- @include "tag"

-- The positions of a log that were delivered to a user (see contains.lua). `user` is the base of the user's own log.
local function delivered_to(user, log)
  local packed = redis.call('HGET', tag .. '/' .. user .. '/delivered', log)
  return packed and cjson.decode(packed) or {}
end
