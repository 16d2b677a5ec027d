-- The place of a log as a field of an event: its user, group or topic, or all.
local function place_of(base)
  local kind, name = string.match(base, '^(.)/[^/]+/(.+)$')
  if kind == 'u' then return 'user', name end
  if kind == 'g' then return 'group', name end
  if kind == 't' then return 'topic', (string.gsub(name, '%%2F', '/')) end
  return 'all', true
end
