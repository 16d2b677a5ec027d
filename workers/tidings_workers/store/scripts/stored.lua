-- Notifications are stored for everybody. ARGV[1]: packed {{tenant, id}, ...}. A recall meanwhile wins.

--- @include "tag"
--- @include "now_ms"

local now = string.format('%013.0f', now_ms())
for _, item in ipairs(cmsgpack.unpack(ARGV[1])) do
  local name = item[1] .. '/' .. item[2]
  local record = tag .. '/n/' .. name
  if redis.call('GETRANGE', record, 0, 0) == 'x' then
    redis.call('SETRANGE', record, 0, 's')
    redis.call('SETRANGE', record, 14, now)
  end
  redis.call('DEL', record .. '/progress')
  redis.call('ZREM', tag .. '/unfinished', name)
end
return 1
