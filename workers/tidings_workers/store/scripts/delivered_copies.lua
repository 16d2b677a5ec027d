--[[
  Read how many connections acknowledged the copies that topics have of a notification. Those of a copy that was removed
  from its log are the last ones that it had.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 id
    2 bases  of the logs of the topics

  Returns the number of connections.
]]

--- @include "tag"
--- @include "receipts"

local id, bases = unpack(cmsgpack.unpack(ARGV[1]))
local connections = 0
for _, base in ipairs(bases) do
  local key = tag .. '/' .. base
  local position = redis.call('ZSCORE', key .. '/copies', id)
  local kept = not position and redis.call('HGET', key .. '/ended', id)
  if position then
    connections = connections + receipts(base, tonumber(position))[1]
  elseif kept then
    connections = connections + cjson.decode(kept)[1]
  end
end
return connections
