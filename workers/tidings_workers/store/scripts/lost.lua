--[[
  Find the positions of a log that retention or an erasure removed. Up to the floor, where nothing is left, these are
  the positions that are no holes; above it, the retired ones.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 base       of the log
    2 positions  a set to look at, as boundaries (see contains.lua)

  Returns {first, last, count, last position that an erasure removed}, or {} when none of the positions is lost.
]]

--- @include "tag"
--- @include "decimal"

local PAGE = 1000

local base, positions = unpack(cmsgpack.unpack(ARGV[1]))
local key = tag .. '/' .. base
local known = redis.call('HMGET', key, 'floor', 'trimmed')
local floor = tonumber(known[1] or '0')

local first, last, count = nil, nil, 0
local function add_lost(after, up_to)
  if up_to <= after then return end
  first, last = first or after + 1, up_to
  count = count + up_to - after
end

-- Calls a function with the positions after < p <= up_to of a sorted set, in order.
local function each(name, after, up_to, call)
  repeat
    local page = redis.call('ZRANGE', key .. name, '(' .. decimal(after), up_to, 'BYSCORE', 'LIMIT', 0, PAGE)
    for _, member in ipairs(page) do
      -- The member of an expired entry has more after the position.
      after = tonumber(string.match(member, '^%d+'))
      call(after)
    end
  until #page < PAGE
end

for i = 1, #positions, 2 do
  local after, up_to = positions[i], positions[i + 1]
  if after < floor then
    local high = math.min(up_to, floor)
    each('/holes', after, high, function(hole)
      add_lost(after, hole - 1)
      after = hole
    end)
    add_lost(after, high)
  end
  if up_to > floor then
    each('/retired', math.max(after, floor), up_to, function(position) add_lost(position - 1, position) end)
  end
end
if count == 0 then return {} end
return { first, last, count, known[2] or 0 }
