--- @include "tag"
--- @include "create_topic"
--- @include "decimal"
--- @include "entry_fields"
--- @include "publish"

-- Append to a log and publish the entry. Returns its position, the next one of the log. accept_plain.lua does the same
-- for many at once.
--   content   the stored notification, without its position
--   expires   Unix ms, 0 for never
--   exclude   ids of users, separated by commas, or ''
--   category  a name, or ''
--   shared    id of the notification when the entry refers to a shared content (see shared_content.lua), else nil
local function append(base, content, expires, exclude, category, shared)
  local key = tag .. '/' .. base
  local position = redis.call('HINCRBY', key, 'head', 1)
  local entry = decimal(position)
  local fields = entry_fields(base, entry, content, expires, exclude, category, shared)
  redis.call('XADD', key .. '/log', entry .. '-0', unpack(fields))
  if position == 1 then
    -- The retention sweep visits the log as soon as it has a first entry.
    redis.call('ZADD', tag .. '/due', 'LT', 0, base)
    if string.sub(base, 1, 2) == 't/' then create_topic(base) end
  end
  publish(base, { 'n', base, position, content, expires, exclude })
  return position
end
