-- Close connections of a user. ARGV[1]: packed {user's base, code, ids (none: all), when gateways that have
-- died were last heard of: {gateway, ms, ...}}. The connections are gone for everybody when this returns;
-- their gateways are told. Answers {gateway, id} of each that was open.

--- @include "now_ms"
--- @include "connections"
--- @include "close_connection"
--- @include "set_last_seen"

local request = cmsgpack.unpack(ARGV[1])
local base, code = request[1], request[2]
local wanted, beats = {}, {}
for i = 1, #request[4], 2 do beats[request[4][i]] = request[4][i + 1] end
for _, id in ipairs(request[3]) do wanted[id] = true end
local closed = {}
local open, lost = connections(base)
for _, row in ipairs(open) do
  if #request[3] == 0 or wanted[row[1]] then
    close_connection(base, row, code)
    set_last_seen(base, now_ms())
    closed[#closed + 1] = { row[4], row[1] }
  end
end
-- A gateway that only stood still will find them here when it goes on.
for _, row in ipairs(lost) do
  if #request[3] == 0 or wanted[row[1]] then
    close_connection(base, row, code)
    set_last_seen(base, math.max(beats[row[4]] or 0, row[3]))
  end
end
write_feeds()
return closed
