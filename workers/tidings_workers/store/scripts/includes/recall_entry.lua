--- @include "publish_change"
--- @include "remove_entry"

-- Remove a recalled notification from one log, and publish that.
local function recall_entry(base, position, id)
  if remove_entry(base, position) then publish_change(base, { 'r', base, position, id }) end
end
