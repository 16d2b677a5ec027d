--- @include "interest"

-- The wish of each tenant, as set_wish.lua wrote it, and '' without one.
local wishes = {}

-- Whether somebody wants events of a tenant. A script that reads the hash anyway sets `wishes` before.
local function wants_events(tenant)
  local wish = wishes[tenant]
  if not wish then
    wish = redis.call('HGET', interest, 'events/' .. tenant) or ''
    wishes[tenant] = wish
  end
  return wish ~= ''
end

-- Whether somebody wants events of a kind: the type of the event.
local function wants_event(tenant, kind)
  return wants_events(tenant) and string.find(wishes[tenant], ' ' .. kind .. ' ', 1, true) ~= nil
end
