-- What of a log is gone that was once there. ARGV[1]: packed {base, positions}, boundaries as in
-- intervals.py. Up to the floor everything is gone, and what is no hole was lost; above it, what retention
-- took. Answers {first, last, how many, the last position that was erased}, or {} when nothing was lost.
local request = cmsgpack.unpack(ARGV[1])
local key, positions = KEYS[1] .. '/' .. request[1], request[2]
local known = redis.call('HMGET', key, 'floor', 'trimmed')
local floor = tonumber(known[1] or '0')
local PAGE = 1000

local first, last, count = nil, nil, 0
local function lost(after, up_to)
  if up_to <= after then return end
  first, last = first or after + 1, up_to
  count = count + up_to - after
end

-- The positions after < p <= up_to that a sorted set has, a page at a time.
local function each(name, after, up_to, call)
  local high = string.format('%.0f', up_to)
  repeat
    local page = redis.call('ZRANGE', key .. name, '(' .. string.format('%.0f', after), high, 'BYSCORE',
      'LIMIT', 0, PAGE)
    for _, member in ipairs(page) do
      -- Of what had ended by itself more is kept behind the position.
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
      lost(after, hole - 1)
      after = hole
    end)
    lost(after, high)
  end
  if up_to > floor then
    each('/retired', math.max(after, floor), up_to, function(position) lost(position - 1, position) end)
  end
end
if count == 0 then return {} end
return { first, last, count, known[2] or 0 }
