-- Append a user's own copy of a notification, once: also where the copy has left the log, or was taken back
-- before it was made.
local function copy(base, id, content, expires, category)
  local key = tag .. '/' .. base
  if redis.call('ZSCORE', key .. '/copies', id) then return end
  if redis.call('HEXISTS', key .. '/ended', id) == 1 or redis.call('ZSCORE', key .. '/parted', id) then return end
  redis.call('ZADD', key .. '/copies', append(base, content, expires, '', category), id)
end
