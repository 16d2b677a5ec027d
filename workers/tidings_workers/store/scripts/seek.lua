-- Where in logs does a time begin? ARGV[1]: packed {{base, ms}, ...}. Answers per log the position of the
-- first entry that was accepted at that time or later, or the head + 1. Entries lie in the order of
-- acceptance but for copies that were stored late: allow for these.
local function time_of(key, position)
  local entry = redis.call('XRANGE', key .. '/log', string.format('%.0f', position), '+', 'COUNT', 1)[1]
  if not entry then return nil end
  local content = entry[2][2]
  return tonumber(string.sub(content, 8, 15) .. string.sub(content, 17, 20), 16)
end

local answer = {}
for i, part in ipairs(cmsgpack.unpack(ARGV[1])) do
  local key = KEYS[1] .. '/' .. part[1]
  local facts = redis.call('HMGET', key, 'head', 'floor')
  local low, high = tonumber(facts[2] or '0') + 1, tonumber(facts[1] or '0') + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    local time = time_of(key, middle)
    if not time or time >= part[2] then high = middle else low = middle + 1 end
  end
  answer[i] = low
end
return answer
