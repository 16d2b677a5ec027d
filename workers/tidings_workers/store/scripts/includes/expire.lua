--- @include "tag"
--- @include "now_ms"
--- @include "publish"
--- @include "remove_entry"

-- Remove the entries of a log that have expired, at most `limit`, and publish that. Returns how many were due.
local function expire(base, limit)
  local key = tag .. '/' .. base
  local due = redis.call('ZRANGE', key .. '/expiring', '-inf', now_ms(), 'BYSCORE', 'LIMIT', 0, limit)
  local removed = {}
  for _, entry in ipairs(due) do
    if remove_entry(base, tonumber(entry), true) then removed[#removed + 1] = tonumber(entry) end
  end
  if #removed > 0 then
    publish(base, { 'x', base, removed, redis.call('HINCRBY', key, 'changes', #removed) })
  end
  return #due
end
