--- @include "accepted_key"
--- @include "list_sent"

-- Store a notification's record under its key, and list it among those that its tenant has sent. `life` is ms, 0 for
-- ever. `to_topics`: its target is topics, which have a retention of their own.
local function store_record(record, tenant, id, content, category, life, to_topics)
  if life > 0 then
    redis.call('SET', record, content, 'PX', life)
  else
    redis.call('SET', record, content)
  end
  -- The record itself is the mark of a retry of a send to topics: it lives as long as a claim, and much shorter than
  -- accepted ids.
  if not to_topics then redis.call('HSET', accepted_key(tenant, id), id, '') end
  list_sent(tenant, id, 'c', category, to_topics)
end
