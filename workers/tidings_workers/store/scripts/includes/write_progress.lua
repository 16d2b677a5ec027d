--- @include "write_event"
--- @include "entry_id"

-- Write the events of a kind that a user's notifications at these spans {{after, up to}, ...} of a log have: one for each
-- notification, if somebody wants them. `base` is that of the user's own log, the only one in this partition.
local function write_progress(base, kind, log_base, spans)
  local tenant, user = string.match(base, '^u/([^/]+)/(.+)$')
  if not wants_event(tenant, kind) then return end
  for _, span in ipairs(spans) do
    local after, up_to = unpack(span)
    if log_base == base and up_to == after + 1 then
      local entry = redis.call('XRANGE', tag .. '/' .. base .. '/log', up_to, up_to)[1]
      if entry then write_event(tenant, kind, { user = user, notification = entry_id(entry[2]) }) end
    else
      write_event(tenant, kind, { user = user }, { log_base, after, up_to })
    end
  end
end
