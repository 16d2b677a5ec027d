--- @include "tag"
--- @include "decimal"
--- @include "publish"

-- Append to a log and publish the entry. Returns its position, the next one of the log.
--   content   the stored notification, without its position
--   expires   Unix ms, 0 for never
--   exclude   ids of users, separated by commas, or ''
--   category  a name, or ''
local function append(base, content, expires, exclude, category)
  local key = tag .. '/' .. base
  local position = redis.call('HINCRBY', key, 'head', 1)
  local entry = decimal(position)
  local fields = { 'n', content }
  if expires > 0 then
    fields[3], fields[4] = 'x', decimal(expires)
    -- For counts: the position is a hole once this time has passed.
    redis.call('ZADD', key .. '/expiring', fields[4], entry)
  end
  if exclude ~= '' then
    fields[#fields + 1] = 'e'
    fields[#fields + 1] = exclude
    redis.call('ZADD', key .. '/excludes', entry, entry)
  end
  if category ~= '' then
    fields[#fields + 1] = 'c'
    fields[#fields + 1] = category
    redis.call('ZADD', key .. '/in/' .. category, entry, entry)
    redis.call('ZADD', key .. '/categories', 0, category)
  end
  redis.call('XADD', key .. '/log', entry .. '-0', unpack(fields))
  -- The next retention sweep of the log: at its next expiry, and as soon as it has a first entry.
  if expires > 0 then
    redis.call('ZADD', tag .. '/due', 'LT', expires, base)
  end
  if position == 1 then
    redis.call('ZADD', tag .. '/due', 'NX', 0, base)
  end
  publish(base, { 'n', base, position, content, expires, exclude })
  return position
end
