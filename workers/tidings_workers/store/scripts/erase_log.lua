-- Take away some of what `erase` put aside. ARGV[1]: packed {user's base, tenant, how many}. What was sent to
-- this user alone goes with its record. Answers {notifications, more to do: 1 or 0}.

--- @include "tag"
--- @include "keep_former_position"

local request = cmsgpack.unpack(ARGV[1])
local base, tenant, limit = request[1], request[2], request[3]
local key = tag .. '/' .. base
local more = false

local entries = redis.call('XRANGE', key .. '/erased', '-', '+', 'COUNT', limit)
for _, entry in ipairs(entries) do
  local position, fields = string.match(entry[1], '^%d+'), entry[2]
  local id = string.sub(fields[2], 8, 43)
  if redis.call('ZREM', key .. '/copies', id) == 1 then
    -- A call that makes the copy may still arrive.
    keep_former_position(base, position, id)
  else
    local record = tag .. '/n/' .. tenant .. '/' .. id
    redis.call('UNLINK', record, record .. '/receipts')
  end
  redis.call('ZREM', key .. '/expiring', position)
  redis.call('ZREM', key .. '/excludes', position)
  for i = 3, #fields, 2 do
    if fields[i] == 'c' then
      local index = key .. '/in/' .. fields[i + 1]
      redis.call('ZREM', index, position)
      if redis.call('EXISTS', index) == 0 then redis.call('ZREM', key .. '/categories', fields[i + 1]) end
    end
  end
  redis.call('XDEL', key .. '/erased', entry[1])
end
if #entries == limit then
  more = true
else
  redis.call('DEL', key .. '/erased')
end

-- Those that were out of the log before.
local ended = redis.call('HRANDFIELD', key .. '/erased-ids', limit)
for _, id in ipairs(ended) do
  local record = tag .. '/n/' .. tenant .. '/' .. id
  -- Only what was sent to one log has a position, and only this user's is known here.
  if (tonumber(redis.call('GETRANGE', record, 27, 42)) or 0) > 0 then
    redis.call('UNLINK', record, record .. '/receipts')
  end
  redis.call('HDEL', key .. '/erased-ids', id)
end
if #ended == limit then more = true end

local floor = redis.call('HGET', key, 'floor') or '0'
for _, part in ipairs({ 'holes', 'retired' }) do
  local old = redis.call('ZRANGE', key .. '/' .. part, '-inf', floor, 'BYSCORE', 'LIMIT', 0, limit)
  if #old > 0 then redis.call('ZREM', key .. '/' .. part, unpack(old)) end
  if #old == limit then more = true end
end
return { #entries, more and 1 or 0 }
