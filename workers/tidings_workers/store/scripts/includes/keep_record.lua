--- @include "tag"
--- @include "accepted_key"
--- @include "id_time"
--- @include "kept_for"
--- @include "plain_record"
--- @include "record_key"

-- When the record of a notification expires (Unix ms), by the rules that the retention sweep used last. Returns nil
-- for never, and before the first sweep, which gives every record its life.
local function record_end(tenant, id, category)
  local rules = redis.call('HGET', tag .. '/sent/' .. tenant .. '/swept', 'rules')
  if not rules then return nil end
  local keep, categories, least_life = unpack(cjson.decode(rules))
  local kept = kept_for(keep, categories, category)
  if kept ~= -1 then return id_time(id) + math.max(kept, least_life or 0) end
end

-- Give a plain send a record of its own, because its entry is about to leave its log.
local function keep_record(tenant, id, category, content)
  local accepted, record = accepted_key(tenant, id), record_key(tenant, id)
  local facts = redis.call('HGET', accepted, id)
  if not plain_send(facts) then return end
  local ends = record_end(tenant, id, category)
  if ends then
    redis.call('SET', record, plain_record(id, facts, content), 'PXAT', string.format('%.0f', ends))
  else
    redis.call('SET', record, plain_record(id, facts, content))
  end
  redis.call('HSET', accepted, id, '')
end
