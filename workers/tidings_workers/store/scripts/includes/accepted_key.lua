--- @include "tag"

-- The hash of the ids that were accepted within 4.7 hours: those with the same first six digits. The value of an id is
-- '' for a notification that has, or had, a record of its own. The others are plain sends; only the entry of the log
-- has their content, and the value is
--   <position> <ms from the acceptance until it was stored> <recipients> <base of the log>
local function accepted_key(tenant, id) return tag .. '/accepted/' .. tenant .. '/' .. string.sub(id, 1, 6) end
