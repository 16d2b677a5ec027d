--[[
  Close connections of a user. Their registrations are removed now, and feed items ask their gateways to close them.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 base     of the user's log
    2 code     to close them with
    3 ids      of the connections; empty for all
    4 stopped  {gateway, ms, ...}: when gateways that have stopped last renewed their feeds

  Returns {gateway, id} of each connection that was open.
]]

--- @include "now_ms"
--- @include "connections"
--- @include "close_connection"
--- @include "set_last_seen"

local base, code, ids, stopped = unpack(cmsgpack.unpack(ARGV[1]))
local wanted, stopped_at = {}, {}
for i = 1, #stopped, 2 do stopped_at[stopped[i]] = stopped[i + 1] end
for _, id in ipairs(ids) do wanted[id] = true end

local closed = {}
local open, lost = connections(base)
for _, row in ipairs(open) do
  local id, _, _, gateway = unpack(row)
  if #ids == 0 or wanted[id] then
    close_connection(base, row, code)
    set_last_seen(base, now_ms())
    closed[#closed + 1] = { gateway, id }
  end
end
-- A gateway that was only paused finds these requests when it resumes.
for _, row in ipairs(lost) do
  local id, _, connected, gateway = unpack(row)
  if #ids == 0 or wanted[id] then
    close_connection(base, row, code)
    set_last_seen(base, math.max(stopped_at[gateway] or 0, connected))
  end
end
write_feeds()
return closed
