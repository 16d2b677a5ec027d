--- @include "tag"
--- @include "now_ms"
--- @include "topic_name"

-- Create a topic, unless it exists: note the time, and list its name among those of its tenant.
local function create_topic(base)
  local now = now_ms()
  if redis.call('HSETNX', tag .. '/' .. base, 'created', now) == 0 then return end
  local tenant, name = topic_name(base)
  redis.call('ZADD', tag .. '/topics/' .. tenant, 0, name)
  -- A retention sweep removes it again if it has neither an entry nor a subscriber by then.
  redis.call('ZADD', tag .. '/due', 'NX', now + 3600000, base)
end
