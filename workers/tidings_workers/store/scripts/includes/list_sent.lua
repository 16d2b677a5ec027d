--- @include "tag"

-- List notifications among those that their tenant has sent, as one entry: their ids without a separator. The field 'c'
-- has the category of a single one, 'l' the packed list of the categories of several; both are absent without any. The
-- last field 't' is that of a send to topics, which have a retention of their own.
local function list_sent(tenant, ids, field, categories, to_topics)
  local sent = tag .. '/sent/' .. tenant
  local more, listed = categories ~= '' and { field, categories } or nil, nil
  if to_topics then
    more = more or {}
    more[#more + 1] = 't'
    more[#more + 1] = ''
  end
  -- Most sends have no more fields, and need no table.
  if more then
    listed = redis.call('XADD', sent, 'NOMKSTREAM', '*', 'i', ids, unpack(more))
  else
    listed = redis.call('XADD', sent, 'NOMKSTREAM', '*', 'i', ids)
  end
  if not listed then
    redis.call('XADD', sent, '*', 'i', ids, unpack(more or {}))
    -- The retention sweep visits the list as soon as it exists.
    redis.call('ZADD', tag .. '/due', 'NX', 0, 's/' .. tenant)
  end
end
