-- The facts of a plain send without a record of its own, as accepted_key.lua has them: position, ms until it was
-- stored, recipients, base of its log. Returns nil for others.
local function plain_send(facts)
  if facts then return string.match(facts, '^(%d+) (%d+) (-?%d+) (.+)$') end
end
