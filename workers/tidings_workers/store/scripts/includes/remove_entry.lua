--- @include "tag"
--- @include "actions_used"
--- @include "decimal"
--- @include "entry_id"
--- @include "id_time"
--- @include "keep_record"
--- @include "keep_former_position"
--- @include "receipts"
--- @include "record_key"
--- @include "release_content"

-- Remove one entry from its log, from its indexes and from the counts; its receipts are kept. The hole of an expired
-- entry keeps time and category ("position|ms|category") for clients that resume later.
-- Returns the id of the notification, or false when the entry was removed before. The caller publishes the removal.
local function remove_entry(base, position, expired)
  local key = tag .. '/' .. base
  local entry = decimal(position)
  redis.call('ZREM', key .. '/expiring', entry)
  local found = redis.call('XRANGE', key .. '/log', entry, entry)[1]
  if not found then return false end
  local fields = found[2]
  local id = entry_id(fields)
  local tenant = string.match(base, '^./([^/]+)')
  local record = record_key(tenant, id)
  local counts, actions = receipts(base, position), actions_used(base, position)
  local own = string.sub(base, 1, 2) == 'u/'
  local of_topic = string.sub(base, 1, 2) == 't/'
  local is_copy = (own or of_topic) and redis.call('ZREM', key .. '/copies', id) == 1
  local category = ''
  for i = 3, #fields, 2 do
    if fields[i] == 'c' then category = fields[i + 1] end
  end
  if not is_copy then keep_record(tenant, id, category, fields[2]) end
  local life = redis.call('PTTL', record)
  -- For the receipts of a copy, and for an erasure, which removes the records of notifications to this user alone.
  if own or is_copy then
    -- In a user's log there is at most one action. The time of its use is kept for the receipts.
    counts[4] = next(actions)
    if counts[4] then counts[5] = redis.call('HGET', key .. '/times/' .. base, 'u' .. entry) end
    redis.call('HSET', key .. '/ended', id, cjson.encode(counts))
  end
  if of_topic then redis.call('HDEL', key .. '/acknowledged', entry) end
  if not own then redis.call('HDEL', key .. '/used', entry) end
  if is_copy then
    -- Marks of its user may still be on their way to the record.
    keep_former_position(base, entry, id)
  elseif life ~= -2 then
    redis.call('HSET', record .. '/receipts', 'delivered', counts[1], 'seen', counts[2], 'read', counts[3])
    for action, count in pairs(actions) do
      redis.call('HSET', record .. '/receipts', 'action:' .. action, count)
    end
    if life > 0 then redis.call('PEXPIRE', record .. '/receipts', life) end
  end
  for i = 3, #fields, 2 do
    if fields[i] == 'c' then
      redis.call('ZREM', key .. '/in/' .. category, entry)
      if redis.call('EXISTS', key .. '/in/' .. category) == 0 then
        redis.call('ZREM', key .. '/categories', category)
      end
    elseif fields[i] == 'e' then
      redis.call('ZREM', key .. '/excludes', entry)
    end
  end
  redis.call('XDEL', key .. '/log', entry .. '-0')
  release_content(tenant, fields)
  if expired then
    redis.call('ZADD', key .. '/holes', entry, entry .. '|' .. decimal(id_time(id) or 0) .. '|' .. category)
  else
    redis.call('ZADD', key .. '/holes', entry, entry)
  end
  return id
end
