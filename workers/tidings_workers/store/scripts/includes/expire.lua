--- @include "tag"
--- @include "now_ms"
--- @include "publish"
--- @include "remove_entry"
--- @include "write_event"
--- @include "place_of"

-- Remove the entries of a log that have expired, at most `limit`, and publish that. Returns how many were due.
local function expire(base, limit)
  local key = tag .. '/' .. base
  local due = redis.call('ZRANGE', key .. '/expiring', '-inf', now_ms(), 'BYSCORE', 'LIMIT', 0, limit)
  local removed = {}
  for _, entry in ipairs(due) do
    local id = remove_entry(base, tonumber(entry), true)
    if id then
      removed[#removed + 1] = tonumber(entry)
      local tenant = string.match(base, '^./([^/]+)')
      if wants_event(tenant, 'notification.expired') then
        local place, name = place_of(base)
        write_event(tenant, 'notification.expired', { notification = id, [place] = name })
      end
    end
  end
  if #removed > 0 then
    publish(base, { 'x', base, removed, redis.call('HINCRBY', key, 'changes', #removed) })
  end
  return #due
end
