--- @include "tag"

-- Store a notification's record under its key, and list it among those that its tenant has sent. `life` is ms, 0 for
-- ever.
local function store_record(record, tenant, id, content, category, life)
  if life > 0 then
    redis.call('SET', record, content, 'PX', life)
  else
    redis.call('SET', record, content)
  end
  local sent = tag .. '/sent/' .. tenant
  if category == '' then
    redis.call('XADD', sent, '*', 'i', id)
  else
    redis.call('XADD', sent, '*', 'i', id, 'c', category)
  end
  -- The retention sweep visits the list as soon as it has a first entry.
  if redis.call('XLEN', sent) == 1 then redis.call('ZADD', tag .. '/due', 'NX', 0, 's/' .. tenant) end
end
