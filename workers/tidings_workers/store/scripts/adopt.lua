--[[
  Put unfinished sends to several users into the ingress, for a dispatcher to finish.

  KEYS[1]  hash tag of the partition
  ARGV[1]  age in microseconds from which a send is adopted
  ARGV[2]  most sends to look at

  Returns the number of sends that it looked at. There may be more when that is the limit.
]]

--- @include "tag"
--- @include "now_us"
--- @include "add_to_ingress"
--- @include "record_status"

local age, limit = unpack(ARGV)
local unfinished = tag .. '/unfinished'
local found = redis.call('ZRANGE', unfinished, '-inf', now_us() - age, 'BYSCORE', 'LIMIT', 0, limit)
local operations = {}
for _, name in ipairs(found) do
  if record_status(tag .. '/n/' .. name) == 'x' then
    local tenant, id = string.match(name, '^([^/]+)/(.+)$')
    operations[#operations + 1] = { 'c', tenant, id }
  end
end
if #found > 0 then redis.call('ZREM', unfinished, unpack(found)) end
add_to_ingress(operations)
return #found
