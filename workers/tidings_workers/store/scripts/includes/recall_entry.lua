--- @include "publish_change"
--- @include "remove_entry"

-- Remove a recalled notification from one log, and publish that. Returns whether the log had it.
local function recall_entry(base, position, id)
  if not remove_entry(base, position) then return false end
  publish_change(base, { 'r', base, position, id })
  return true
end
