--- @include "append"

-- Append a user's copy of a compound notification, once. A copy that was removed, or recalled before it was made, is
-- not made again.
local function append_copy(base, id, content, expires, category)
  local key = tag .. '/' .. base
  if redis.call('ZSCORE', key .. '/copies', id) then return end
  if redis.call('HEXISTS', key .. '/ended', id) == 1 or redis.call('ZSCORE', key .. '/parted', id) then return end
  redis.call('ZADD', key .. '/copies', append(base, content, expires, '', category), id)
end
