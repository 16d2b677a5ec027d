-- Give to the dispatcher what was begun and not finished. ARGV: age in microseconds, limit. Answers how many
-- were looked at: as many as the limit means that there may be more.

--- @include "tag"
--- @include "add_to_ingress"

local time = redis.call('TIME')
local before = string.format('%.0f', time[1] * 1000000 + time[2] - ARGV[1])
local unfinished = tag .. '/unfinished'
local found = redis.call('ZRANGE', unfinished, '-inf', before, 'BYSCORE', 'LIMIT', 0, ARGV[2])
local operations = {}
for _, name in ipairs(found) do
  if redis.call('GETRANGE', tag .. '/n/' .. name, 0, 0) == 'x' then
    local tenant, id = string.match(name, '^([^/]+)/(.+)$')
    operations[#operations + 1] = { 'c', tenant, id }
  end
end
if #found > 0 then redis.call('ZREM', unfinished, unpack(found)) end
add_to_ingress(operations)
return #found
