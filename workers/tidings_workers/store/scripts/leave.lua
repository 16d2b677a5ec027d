--[[
  Remove the registrations of connections that have closed. A call may be repeated.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 gateway
    2 at          when they closed, Unix ms, 0 for now
    3 if_stopped  do nothing while the gateway runs
    4 rows        {base of the user's log, id} each; the base is '' if the gateway does not have it

  Returns the number of registrations that were removed.
]]

--- @include "tag"
--- @include "now_ms"
--- @include "is_alive"
--- @include "remove_connection"
--- @include "set_last_seen"

local gateway, at, if_stopped, rows = unpack(cmsgpack.unpack(ARGV[1]))
if if_stopped and is_alive(gateway) then return 0 end
if at == 0 then at = now_ms() end
local count = 0
for _, row in ipairs(rows) do
  local base, id = unpack(row)
  -- If kick.lua removed the registration, it has also set when the user was last seen, and asked for the closing.
  if remove_connection(base, id, gateway) then
    set_last_seen(base, at)
    count = count + 1
  else
    redis.call('HDEL', tag .. '/closing/' .. gateway, id)
  end
end
return count
