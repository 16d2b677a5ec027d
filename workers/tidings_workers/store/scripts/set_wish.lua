--[[
  Set the types of events that this partition writes for a tenant. A newer version is kept.

  KEYS[1]  hash tag of the partition
  ARGV[1]  tenant
  ARGV[2]  version of the wish
  ARGV[3]  the wish as text: when it ends (Unix ms, 0 for never), the most bytes of the stream, and the types, with a
           space behind each part

  Returns 1.
]]

--- @include "interest"

local tenant, version, wish = unpack(ARGV)
local field = 'events/' .. tenant
local known = redis.call('HGET', interest, field)
if not known or tonumber(string.match(known, '^%d+')) < tonumber(version) then
  redis.call('HSET', interest, field, version .. ' ' .. wish)
end
return 1
