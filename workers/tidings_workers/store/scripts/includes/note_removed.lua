--- @include "tag"
--- @include "decimal"

-- Note the time of the last entry that was removed from the list of sends: lists continue in the archive there.
local function note_removed(tenant, entry)
  local key, at = tag .. '/archived/' .. tenant, tonumber(string.match(entry, '^%d+'))
  if at > tonumber(redis.call('HGET', key, 'sent') or '0') then redis.call('HSET', key, 'sent', decimal(at)) end
end
