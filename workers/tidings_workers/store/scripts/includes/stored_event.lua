--- @include "write_event"
--- @include "place_of"

-- Write the event that a notification is stored, if somebody wants it.
--   base        of its log, '' when it has several or none
--   recipients  -1 for unknown
local function stored_event(tenant, id, base, recipients)
  if not wants_event(tenant, 'notification.stored') then return end
  local data = { notification = id }
  if base ~= '' then
    local place, name = place_of(base)
    data[place] = name
  end
  if recipients >= 0 then data.recipients = recipients end
  write_event(tenant, 'notification.stored', data)
end
