--[[
  Remove a part of the log that erase.lua renamed. Notifications to this user alone are removed with their records.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 base    of the user's log
    2 tenant
    3 limit   of entries, ids and positions to remove, each

  Returns {number of entries, 1 when there is more to remove, else 0}.
]]

--- @include "tag"
--- @include "accepted_key"
--- @include "entry_id"
--- @include "keep_former_position"
--- @include "record_key"
--- @include "record_position"
--- @include "release_content"

local base, tenant, limit = unpack(cmsgpack.unpack(ARGV[1]))
local key = tag .. '/' .. base
local more = false

local function remove_record(record) redis.call('UNLINK', record, record .. '/receipts') end

local function remove_category(category, position)
  local index = key .. '/in/' .. category
  redis.call('ZREM', index, position)
  if redis.call('EXISTS', index) == 0 then redis.call('ZREM', key .. '/categories', category) end
end

local entries = redis.call('XRANGE', key .. '/erased', '-', '+', 'COUNT', limit)
for _, entry in ipairs(entries) do
  local position, fields = string.match(entry[1], '^%d+'), entry[2]
  local id = entry_id(fields)
  if redis.call('ZREM', key .. '/copies', id) == 1 then
    -- A call that makes the copy may still arrive.
    keep_former_position(base, position, id)
  else
    remove_record(record_key(tenant, id))
    -- The id stays, without the name of the user, so that no repeated call accepts it again.
    local accepted = accepted_key(tenant, id)
    if redis.call('HEXISTS', accepted, id) == 1 then redis.call('HSET', accepted, id, '') end
  end
  redis.call('ZREM', key .. '/expiring', position)
  redis.call('ZREM', key .. '/excludes', position)
  for i = 3, #fields, 2 do
    if fields[i] == 'c' then remove_category(fields[i + 1], position) end
  end
  redis.call('XDEL', key .. '/erased', entry[1])
  release_content(tenant, fields)
end
if #entries == limit then
  more = true
else
  redis.call('DEL', key .. '/erased')
end

-- Notifications that were removed from the log before the erasure.
local removed = redis.call('HRANDFIELD', key .. '/erased-ids', limit)
for _, id in ipairs(removed) do
  local record = record_key(tenant, id)
  -- Of these ids, only those of notifications to this user alone have a record here, with a position.
  if (record_position(record) or 0) > 0 then remove_record(record) end
  redis.call('HDEL', key .. '/erased-ids', id)
end
if #removed == limit then more = true end

local floor = redis.call('HGET', key, 'floor') or '0'
for _, part in ipairs({ '/holes', '/retired' }) do
  local old = redis.call('ZRANGE', key .. part, '-inf', floor, 'BYSCORE', 'LIMIT', 0, limit)
  if #old > 0 then redis.call('ZREM', key .. part, unpack(old)) end
  if #old == limit then more = true end
end
return { #entries, more and 1 or 0 }
