-- Connections of a gateway have ended. ARGV[1]: packed {gateway, when in ms or 0 for now, only if the gateway
-- has died, {{user's base, id}, ...}}. Idempotent.

--- @include "tag"
--- @include "now_ms"
--- @include "is_alive"
--- @include "remove_connection"
--- @include "set_last_seen"

local request = cmsgpack.unpack(ARGV[1])
local gateway, at = request[1], request[2]
if request[3] and is_alive(gateway) then return 0 end
if at == 0 then at = now_ms() end
local count = 0
for _, row in ipairs(request[4]) do
  local base, id = row[1], row[2]
  redis.call('HDEL', tag .. '/closing/' .. gateway, id)
  -- One that was closed for it has been seen then.
  if remove_connection(base, id, gateway) then
    set_last_seen(base, at)
    count = count + 1
  end
end
return count
