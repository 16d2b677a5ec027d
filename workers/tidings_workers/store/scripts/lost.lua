-- What of a log is gone that was once there for a user. ARGV[1]: packed {base, spans, hidden}: boundaries of
-- the spans after < p <= up_to that the user was to see, and the positions that the user was not (both
-- rising). Up to the floor everything is gone, and what is no hole was lost; above it, what retention took.
-- Answers {first, last, how many, the last position that was erased}, or {} when nothing was lost.
local request = cmsgpack.unpack(ARGV[1])
local key = KEYS[1] .. '/' .. request[1]
local spans, hidden = request[2], {}
for _, position in ipairs(request[3]) do hidden[position] = true end
local known = redis.call('HMGET', key, 'floor', 'trimmed')
local floor = tonumber(known[1] or '0')

local first, last, count = nil, nil, 0
local function lost(after, up_to)
  if up_to <= after then return end
  first, last = first or after + 1, up_to
  count = count + up_to - after
end

local function below(after, up_to)
  local excused = {}
  for _, member in ipairs(redis.call('ZRANGE', key .. '/holes', '(' .. string.format('%.0f', after),
      string.format('%.0f', up_to), 'BYSCORE')) do
    -- What had ended by itself has more behind its position.
    local position = tonumber(string.match(member, '^%d+'))
    excused[#excused + 1] = position
    hidden[position] = nil
  end
  for position in pairs(hidden) do
    if position > after and position <= up_to then excused[#excused + 1] = position end
  end
  table.sort(excused)
  for _, position in ipairs(excused) do
    lost(after, position - 1)
    after = position
  end
  lost(after, up_to)
end

local PAGE = 1000
local function above(after, up_to)
  local high = string.format('%.0f', up_to)
  while true do
    local page = redis.call('ZRANGE', key .. '/retired', '(' .. string.format('%.0f', after), high, 'BYSCORE',
      'LIMIT', 0, PAGE)
    for _, text in ipairs(page) do
      after = tonumber(text)
      if not hidden[after] then lost(after - 1, after) end
    end
    if #page < PAGE then return end
  end
end

for i = 1, #spans, 2 do
  local after, up_to = spans[i], spans[i + 1]
  if after < floor then below(after, math.min(up_to, floor)) end
  if up_to > floor then above(math.max(after, floor), up_to) end
end
if count == 0 then return {} end
return { first, last, count, known[2] or 0 }
