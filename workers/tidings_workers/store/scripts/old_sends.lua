--[[
  List the sends of a tenant that are too old for the list in Redis, the oldest first.

  KEYS[1]  hash tag of the partition
  ARGV[1]  tenant
  ARGV[2]  age in ms
  ARGV[3]  now in Unix ms, 0 for the clock of the server
  ARGV[4]  most entries of the list

  Returns {entry, ids} each: the id of an entry of the list, and the ids of its sends as one text.
]]

--- @include "tag"
--- @include "decimal"
--- @include "now_ms"

local tenant, age, now, limit = unpack(ARGV)
now = tonumber(now)
if now == 0 then now = now_ms() end
local old = redis.call('XRANGE', tag .. '/sent/' .. tenant, '-', '(' .. decimal(now - age), 'COUNT', limit)
local answer = {}
for i, entry in ipairs(old) do answer[i] = { entry[1], entry[2][2] } end
return answer
