--- @include "tag"

-- The fields of a log entry, after it was added to the indexes of its log.
--   entry     its position as text
--   expires   Unix ms, 0 for never
--   exclude   ids of users, separated by commas, or ''
--   category  a name, or ''
--   shared    id of the notification when the entry refers to a shared content (see shared_content.lua), else nil
local function entry_fields(base, entry, content, expires, exclude, category, shared)
  local key = tag .. '/' .. base
  local fields = shared and { 'r', shared } or { 'n', content }
  if expires > 0 then
    fields[3], fields[4] = 'x', string.format('%.0f', expires)
    -- For counts: the position is a hole once this time has passed.
    redis.call('ZADD', key .. '/expiring', fields[4], entry)
    -- The next retention sweep of the log is at its next expiry.
    redis.call('ZADD', tag .. '/due', 'LT', expires, base)
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
  return fields
end
