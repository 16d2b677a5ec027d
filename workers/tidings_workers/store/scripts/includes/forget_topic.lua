--- @include "tag"
--- @include "interest"
--- @include "is_alive"
--- @include "topic_name"

-- Remove a topic that never had an entry and that no running gateway follows. Returns whether it was removed. A topic
-- that had an entry stays: its positions are never used again.
local function forget_topic(base)
  local key = tag .. '/' .. base
  if redis.call('HEXISTS', key, 'head') == 1 then return false end
  for gateway in string.gmatch(redis.call('HGET', interest, base) or '', '%S+') do
    if is_alive(gateway) then return false end
  end
  local tenant, name = topic_name(base)
  redis.call('ZREM', tag .. '/topics/' .. tenant, name)
  redis.call('ZREM', tag .. '/due', base)
  redis.call('HDEL', interest, base)
  redis.call('DEL', key, key .. '/subscribers')
  return true
end
