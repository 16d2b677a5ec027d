--- @include "tag"
--- @include "is_alive"

-- The registrations of a user as rows {id, device, connected at ms, gateway}: those of gateways that run, and those of
-- gateways that have stopped. Three keys hold them:
--   <user's base>/connections  id of the connection -> packed {device or '', connected at ms, gateway}
--   connections/<gateway>      id -> the user's base: an id is enough to find its registration
--   closing/<gateway>          id -> close code, until the gateway has closed it: the feed item that asks for it may
--                              be lost
local function connections(base)
  local rows = redis.call('HGETALL', tag .. '/' .. base .. '/connections')
  local open, lost, alive = {}, {}, {}
  for i = 1, #rows, 2 do
    local device, connected, gateway = unpack(cmsgpack.unpack(rows[i + 1]))
    if alive[gateway] == nil then alive[gateway] = is_alive(gateway) end
    local list = alive[gateway] and open or lost
    list[#list + 1] = { rows[i], device, connected, gateway }
  end
  return open, lost
end
