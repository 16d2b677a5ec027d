--[[
  Count acknowledgements of topics that one gateway added up. A gateway numbers its calls, and a number is counted once:
  a call may be repeated.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 gateway
    2 number  of this call, above that of the last one
    3 items   {base, after, up_to, connections} each: so many connections more acknowledged these positions

  Returns the number of positions whose count has risen. Positions that are no longer in the log do not count.
]]

--- @include "tag"
--- @include "decimal"

local COUNTED_MS = 3600000

local gateway, number, items = unpack(cmsgpack.unpack(ARGV[1]))
local counted = tag .. '/counted/' .. gateway
if tonumber(redis.call('GET', counted) or '0') >= number then return 0 end

local risen = 0
for _, item in ipairs(items) do
  local base, after, up_to, connections = unpack(item)
  local key = tag .. '/' .. base
  local known = redis.call('HMGET', key, 'floor', 'head')
  after, up_to = math.max(after, tonumber(known[1] or '0')), math.min(up_to, tonumber(known[2] or '0'))
  local removed = {}
  for _, hole in ipairs(redis.call('ZRANGE', key .. '/holes', '(' .. decimal(after), up_to, 'BYSCORE')) do
    removed[tonumber(string.match(hole, '^%d+'))] = true
  end
  for position = after + 1, up_to do
    if not removed[position] then
      redis.call('HINCRBY', key .. '/acknowledged', decimal(position), connections)
      risen = risen + 1
    end
  end
end
redis.call('SET', counted, number, 'PX', COUNTED_MS)
return risen
